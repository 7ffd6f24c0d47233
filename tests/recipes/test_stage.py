"""Laws of stages in a recipe: what a stage may hold, the recipe of each, and what is refused, with what to do."""

from typing import Any

import pytest

from ebmkit.errors import RecipeError
from ebmkit.recipes.recipe import Recipe, from_mapping, from_toml, to_toml
from ebmkit.recipes.stage import at_stage, begins_after, folded, stage_name, steps_of, total_steps, with_total

TWO = """
[energy]
use = "mlp"

[[sampler]]
use = "mala"

[optim.energy]
lr = 0.01
clip = 1.0

[[stage]]
name = "warm"
steps = 4

[[stage.objective]]
use = "sliced-score-matching"

[[stage]]
name = "exact"
steps = 3
batch_size = 8

[stage.optim.energy]
lr = 0.002

[[stage.objective]]
use = "cd"
"""


def stage(**raw: Any) -> dict[str, Any]:
    return {"energy": {"use": "mlp"}, "stage": [{"name": "warm", "steps": 4, **raw}]}


def test_a_recipe_of_a_stage_is_that_of_the_run_with_the_tables_of_the_stage() -> None:
    recipe = from_toml(TWO)
    warm, exact = (at_stage(recipe, place) for place in (0, 1))
    assert [part.use for part in warm.parts["objective"]] == ["sliced-score-matching"]
    assert [part.use for part in exact.parts["objective"]] == ["cd"]
    assert warm.parts["sampler"] == exact.parts["sampler"] == recipe.parts["sampler"]
    assert (warm.owner("energy").lr, exact.owner("energy").lr) == (0.01, 0.002)
    assert warm.owner("energy").clip == exact.owner("energy").clip == 1.0
    assert (warm.table("run").batch_size, exact.table("run").batch_size) == (64, 8)


def test_steps_are_counted_through() -> None:
    recipe = from_toml(TWO)
    warm, exact = (at_stage(recipe, place) for place in (0, 1))
    assert [(begins_after(one), one.table("run").steps, steps_of(one)) for one in (warm, exact)] == [
        (0, 4, 4),
        (4, 7, 3),
    ]
    assert (stage_name(recipe), stage_name(warm), stage_name(exact)) == ("", "warm", "exact")
    assert total_steps(warm) == total_steps(exact) == 7


def test_what_a_stage_decides_is_written_into_the_stage() -> None:
    recipe = from_toml(TWO)
    exact = at_stage(recipe, 1).with_table("run", engine="eager", device="cpu")
    whole = folded(exact)
    assert whole.stage is None and whole.stages[0] == recipe.stages[0]
    assert whole.stages[1].settings == {"steps": 3, "batch_size": 8, "engine": "eager"}
    assert whole.tables["run"] == {"device": "cpu", "steps": 7}
    assert "objective" not in whole.parts and folded(at_stage(whole, 1)) == whole
    assert to_toml(exact) == to_toml(whole) and from_toml(to_toml(whole)) == whole


def test_a_recipe_without_stages_is_its_own_only_one() -> None:
    recipe = Recipe().with_table("run", steps=5)
    assert folded(recipe) is recipe and begins_after(recipe) == 0 and steps_of(recipe) == total_steps(recipe) == 5
    assert with_total(recipe, 9).table("run").steps == 9


def test_another_number_of_steps_is_made_by_the_last_stage() -> None:
    longer = with_total(from_toml(TWO), 20)
    assert [one.steps for one in longer.stages] == [4, 16] and total_steps(longer) == 20
    with pytest.raises(RecipeError, match=r"4 steps are asked for in all.*before 'exact' make 4.*stage\.warm\.steps"):
        with_total(from_toml(TWO), 4)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"temperature": 2.0}, r"warm has temperature, but a run has one temperature.*Set run\.temperature"),
        ({"coordinate": [{"use": "label"}]}, r"warm has coordinate, but .* the same in all stages.*above the first"),
        ({"energy": {"use": "mlp"}}, r"has energy, but .*the same in all stages"),
        ({"wrapper": [{"use": "x"}]}, r"has wrapper, but .*the same in all stages"),
        ({"metric": [{"use": "x"}]}, r"has metric, but what watches and judges it is the same"),
        ({"seed": 3}, r"has seed, but it is the same in all stages"),
        ({"run": {"steps": 3}}, r"has run, but it is the same in all stages"),
        ({"objectiv": []}, r"has no 'objectiv'\. Did you mean 'objective'\? A stage has: name, steps"),
        ({"steps": 0}, r"warm: steps: .*greater than 0, found 0"),
        ({"steps": "many"}, r"steps: .*found 'many'"),
        ({"name": "a b"}, r"number 1 needs name = .*found name = 'a b'"),
        ({"name": ""}, r"number 1 needs name"),
        ({"buffer": [{"use": "replay"}, {"use": "none"}]}, r"\[\[buffer\]\] is a list"),
        ({"objective": [{"weight": 1}]}, r"warm: \[objective\] needs use"),
        ({"optim": 3}, r"\[optim\] must be a table"),
    ],
)
def test_what_no_stage_can_hold_is_refused(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        from_mapping(stage(**raw))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"name": "warm", "steps": 1}, r"\[stage\] is one table.*\[\[stage\]\]"),
        ([{"name": "warm"}], r"warm has no steps: .*steps = 400"),
        ([{"steps": 3}], r"number 1 needs name"),
        ([3], r"\[\[stage\]\] must be a table, found 3"),
        ([{"name": "a", "steps": 1}, {"name": "a", "steps": 1}], r"2 stages are called 'a'"),
    ],
)
def test_stages_are_a_list_each_with_a_name_and_steps(raw: Any, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        from_mapping({"stage": raw})

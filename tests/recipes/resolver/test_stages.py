"""Laws of resolving stages: each by itself, all with one energy and one temperature, and everything is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ebmkit.errors import CapabilityError, EbmkitError, RecipeError
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import Recipe, from_mapping, from_toml, to_toml
from ebmkit.recipes.resolver.resolve import Resolution, resolve
from ebmkit.recipes.resolver.stages import SHARED, resolve_run
from ebmkit.recipes.stage import at_stage

IMAGES = (1, 28, 28)
FREE = {"name": "free", "steps": 4, "objective": [{"use": "sliced-score-matching"}]}
NOISY = {"name": "noisy", "steps": 4, "objective": [{"use": "denoising-score-matching", "sigma": 0.3}]}
EXACT = {"name": "exact", "steps": 3, "objective": [{"use": "cd"}], "sampler": [{"use": "mala", "moves": 2}]}
COLD = {"name": "cold", "steps": 3, "objective": [{"use": "cd"}], "sampler": [{"use": "sgld"}]}
LEVELS = {"name": "levels", "steps": 4, "objective": [{"use": "level-classification"}]}
GUIDED = {"name": "guided", "steps": 4, "objective": [{"use": "cd"}, {"use": "clel"}], "sampler": [{"use": "mgms"}]}


def resolved(*stages: Any, shape: tuple[int, ...] = (2,), sets: Any = (), **tables: Any) -> Resolution:
    tables = {"energy": {"use": "mlp", "widths": [8]}, **tables}
    return resolve_run(from_mapping({**tables, "stage": list(stages)}).with_overrides(sets), host(), shape)


def names(recipe: Recipe, table: str) -> list[str]:
    return [part.use for part in recipe.parts.get(table, ())]


def test_each_stage_is_what_its_recipe_alone_would_be() -> None:
    recipe = resolved(NOISY, EXACT).recipe
    for place, stage in enumerate((NOISY, EXACT)):
        alone = {table: own for table, own in stage.items() if table not in ("name", "steps")}
        run = {"steps": stage["steps"]}
        made = resolve(
            from_mapping({"energy": {"use": "mlp", "widths": [8]}, "run": run, **alone}), host(), (2,)
        ).recipe
        here = at_stage(recipe, place)
        assert here.parts == made.parts and here.optim == made.optim
        assert {**here.tables["run"], "steps": stage["steps"]} == made.tables["run"]
    assert "sampler" not in recipe.stages[0].parts and "buffer" not in recipe.stages[0].parts
    assert names(at_stage(recipe, 1), "buffer") == ["replay"]


def test_resolving_again_changes_nothing() -> None:
    for shape, stages in (((2,), (NOISY, EXACT)), (IMAGES, (LEVELS, GUIDED))):
        recipe = resolved(*stages, shape=shape).recipe
        again = from_toml(to_toml(recipe))
        assert again == recipe and resolve_run(again, host()).recipe == recipe
        assert resolve_run(again, host(), shape).recipe == recipe


def test_the_energy_is_the_union_of_what_the_stages_need_and_the_log_says_for_whom() -> None:
    made = resolved(LEVELS, GUIDED, shape=IMAGES)
    assert set(names(made.recipe, "wrapper")) == {"level-head", "latent-head"}
    assert names(made.recipe, "coordinate") == ["level"]
    assert made.recipe.part("energy").settings["head"] == "half-squared-norm"
    assert any("latent-head" in line and "for stage guided; all stages have it" in line for line in made.notes)
    assert any("head = 'half-squared-norm'" in line and "for stage guided" in line for line in made.notes)
    for table in SHARED:
        assert at_stage(made.recipe, 0).parts.get(table) == at_stage(made.recipe, 1).parts.get(table)


def test_the_order_of_stages_has_no_effect_on_what_they_share() -> None:
    one, two = (resolved(*stages, shape=IMAGES).recipe for stages in ((LEVELS, GUIDED), (GUIDED, LEVELS)))
    assert one.parts == two.parts and one.table("run").temperature == two.table("run").temperature


def test_every_stage_and_border_is_told() -> None:
    notes = resolved(NOISY, EXACT).notes
    assert any(
        line.startswith("stage noisy (1 of 2), steps 1 to 4 of 256 data: denoising-score-matching; no chains")
        for line in notes
    )
    assert any(
        "stage exact (2 of 2), steps 5 to 7" in line and "chains by mala, kept in replay" in line for line in notes
    )
    (border,) = [line for line in notes if line.startswith("from noisy to exact pass on: weights and averages")]
    assert "begin anew: optimisers, buffer, tuning of the sampler, all of objective cd" in border


def test_a_stage_without_chains_has_the_temperature_of_those_with_chains() -> None:
    made = resolved(FREE, COLD, shape=IMAGES)
    alone = resolve(from_mapping({"sampler": [{"use": "sgld"}]}), host(), IMAGES).recipe.table("run").temperature
    assert made.recipe.table("run").temperature == alone != 1.0
    assert any(f"temperature {alone:g} in all stages" in line and "stage cold" in line for line in made.notes)
    assert resolved(FREE, NOISY).recipe.table("run").temperature == 1.0


def test_stages_at_different_temperatures_are_refused() -> None:
    said = r"one temperature.*stage 'exact' has 1 \(sampler mala is exact\), stage 'cold' .*Set run\.temperature"
    with pytest.raises(CapabilityError, match=said):
        resolved(EXACT, COLD, shape=IMAGES)
    made = resolved(EXACT, COLD, shape=IMAGES, run={"temperature": 0.5})
    assert made.recipe.table("run").temperature == 0.5
    fixed = {**COLD, "sampler": [{"use": "sgld", "step_size": 1.0, "noise": 1.0}]}
    with pytest.raises(CapabilityError, match=r"Stage 'cold': A run has one temperature, here 2"):
        resolved(EXACT, fixed, shape=IMAGES, run={"temperature": 2.0})


def test_a_buffer_of_the_run_is_for_the_stages_with_chains() -> None:
    recipe = resolved(NOISY, EXACT, buffer={"use": "replay", "capacity": 999}).recipe
    assert "buffer" not in recipe.stages[0].parts
    assert recipe.stages[1].parts["buffer"][0].settings["capacity"] == 999
    with pytest.raises(CapabilityError, match=r"Stage 'noisy': buffer replay keeps chains, but no objective"):
        resolved({**NOISY, "buffer": {"use": "replay"}}, EXACT)


def test_settings_of_the_run_reach_every_stage_that_has_such_a_part() -> None:
    sets = [
        ("sampler.moves", 7),
        ("objective.sigma", 0.7),
        ("optim.energy.lr", 0.5),
        ("run.seed", 9),
        ("energy.widths", [4]),
    ]
    recipe = resolved(NOISY, EXACT, sets=sets).recipe
    assert recipe.stages[1].parts["sampler"][0].settings["moves"] == 7
    assert recipe.stages[0].parts["objective"][0].settings["sigma"] == 0.7
    assert all(stage.optim["energy"]["lr"] == 0.5 for stage in recipe.stages)
    assert recipe.table("run").seed == 9 and recipe.part("energy").settings["widths"] == [4]


def test_settings_of_one_stage_reach_that_one_alone() -> None:
    sets = [("stage.exact.sampler.moves", 7), ("stage.noisy.steps", 11), ("stage.exact.optim.energy.lr", 0.5)]
    recipe = resolved(NOISY, EXACT, sets=sets).recipe
    assert recipe.stages[1].parts["sampler"][0].settings["moves"] == 7
    assert [stage.steps for stage in recipe.stages] == [11, 3] and recipe.table("run").steps == 14
    assert [stage.optim["energy"]["lr"] == 0.5 for stage in recipe.stages] == [False, True]


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ([("stage.exat.steps", 3)], r"no stage 'exat'\. Did you mean 'exact'\? Stages: noisy, exact"),
        ([("stage.exact.seed", 3)], r"a stage has steps, .* of its own"),
        ([("stage.exact.objective", 3)], r"write stage\.exact\.steps=400"),
        ([("stage.noisy.sampler.moves", 3)], r"Stage 'noisy': --set sampler\.moves: no sampler"),
        ([("stage.noisy.optim.cd.lr", 3.0)], r"Stage 'noisy': \[optim\.cd\]"),
        ([("sampler.movs", 3)], r"--set sampler\.movs: no sampler of this run has it"),
        ([("optim.cdd.lr", 0.1)], r"\[optim\.cdd\]: no part"),
        ([("run.steps", 4)], r"4 steps are asked for in all, but the stages before 'exact' make 4"),
        ([("run.steps", "many")], r"steps: .*found 'many'"),
        ([("stage.exact.stpes", 4)], r"stage\.exact\.stpes: a stage has .*Did you mean 'steps'"),
        ([("stage.exact.steps", 0)], r"greater than 0, found 0"),
    ],
)
def test_an_override_that_reaches_nothing_is_refused(sets: Any, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        resolved(NOISY, EXACT, sets=sets)


def test_a_run_without_stages_has_no_settings_of_one() -> None:
    recipe = from_mapping({"energy": {"use": "mlp"}}).with_overrides([("stage.a.steps", 3)])
    with pytest.raises(RecipeError, match="this recipe has no stages"):
        resolve_run(recipe, host(), (2,))


def test_steps_of_the_run_are_those_of_its_stages() -> None:
    assert resolved(NOISY, EXACT, run={"steps": 7}).recipe.table("run").steps == 7
    with pytest.raises(RecipeError, match=r"\[run\] steps is 9, but its stages make 7"):
        resolved(NOISY, EXACT, run={"steps": 9})
    recipe = resolved(NOISY, EXACT, sets=[("run.steps", 20)]).recipe
    assert [stage.steps for stage in recipe.stages] == [4, 16]


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ([{**EXACT, "objective": [{"use": "cdd"}]}], r"There is no objective 'cdd'|objective 'cdd'"),
        (
            [NOISY, {**EXACT, "objective": [{"use": "cd"}, {"use": "cd"}]}],
            r"Stage 'exact': objective 'cd' is named twice",
        ),
        ([NOISY, {**EXACT, "objective": [{"use": "clel"}]}], r"Stage 'exact': objective clel cannot be used here"),
        ([NOISY, {**EXACT, "sampler": [{"use": "mala", "movs": 1}]}], r"Stage 'exact'.*no setting 'movs'"),
    ],
)
def test_what_is_wrong_in_a_stage_names_the_stage(stages: Any, said: str) -> None:
    with pytest.raises(EbmkitError, match=said):
        resolved(*stages)


WANTING = """
from ebmkit import Component, Include

COMPONENTS = tuple(
    Component(kind="objective", name=name, build=f"{__name__}:build", summary="wants a latent head", negatives=False,
              includes=(Include(kind="wrapper", name="latent-head", config={"beta": beta}, reason="it does"),))
    for name, beta in (("weak", 0.1), ("strong", 0.2))
)
"""


def test_what_two_stages_want_differently_of_one_part_is_refused_unless_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ebmkit.plugins.host._host", None)
    (tmp_path / "wanting.py").write_text(WANTING)
    host().add_file(tmp_path / "wanting.py")
    stages = [{"name": name, "steps": 2, "objective": [{"use": name}]} for name in ("weak", "strong")]
    said = (
        r"different settings of wrapper latent-head.*beta = 0\.1 in stage 'weak'.*0\.2 in stage 'strong'.*--set wrapper"
    )
    with pytest.raises(CapabilityError, match=said):
        resolved(*stages)
    made = resolved(*stages, wrapper=[{"use": "latent-head", "beta": 0.3}]).recipe
    assert made.parts["wrapper"][0].settings["beta"] == 0.3

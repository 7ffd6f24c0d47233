"""From flags to a recipe."""

from __future__ import annotations

from dataclasses import make_dataclass
from pathlib import Path

import pytest

from ebmkit.cli.asked import Asked, asked_recipe, data_part, run_name
from ebmkit.errors import RecipeError
from ebmkit.plugins.component import Component
from ebmkit.plugins.host import Host, host
from ebmkit.recipes.recipe import Part
from ebmkit.recipes.resolver.resolve import resolve


def test_plus_keeps_the_order() -> None:
    recipe = asked_recipe(Asked(sampler="augment+sgld", objective="energy-l2+cd"), host())
    assert [p.use for p in recipe.parts["sampler"]] == ["augment", "sgld"]
    assert [p.use for p in recipe.parts["objective"]] == ["energy-l2", "cd"]


@pytest.mark.parametrize("flags", [{"energy": "mlp+mlp"}, {"buffer": "a+b"}, {"sampler": "a++b"}, {"objective": ""}])
def test_names_that_make_no_sense(flags: dict[str, str]) -> None:
    with pytest.raises(RecipeError, match=f"--{next(iter(flags))}"):
        asked_recipe(Asked(**flags), host())


def test_the_argument_of_data_is_its_first_setting() -> None:
    assert data_part("npz:a+b:c.npz", host()) == Part("npz", {"path": "a+b:c.npz"})
    assert data_part("folder:123", host()) == Part("folder", {"path": "123"})
    assert data_part("fashion-mini", host()) == Part("fashion-mini")
    with pytest.raises(RecipeError, match="no dataset 'nop'"):
        data_part("nop:x", host())


def test_an_argument_for_a_config_that_cannot_be_read_is_left_to_the_check_of_settings() -> None:
    config = make_dataclass("Unfinished", [("where", "Nowhere", None)], frozen=True)
    mine = Host()
    mine.register(Component(kind="dataset", name="mine", summary="mine", config=config, build="math:sqrt"))
    assert data_part("mine:7", mine) == Part("mine", {"where": "7"})


def test_recipe_then_parts_then_settings_then_short_flags() -> None:
    Path("r.toml").write_text('resolved = true\n[energy]\nuse = "resnet"\nblocks = 2\n[run]\nsteps = 5\nseed = 3\n')
    asked = Asked(recipe="r.toml", energy="mlp", data="toy", settings=("run.steps=6", "run.batch_size=4"), steps=7)
    recipe = asked_recipe(asked, host())
    assert not recipe.resolved
    assert recipe.part("energy") == Part("mlp")
    run = resolve(recipe, host()).recipe.table("run")
    assert (run.steps, run.batch_size, run.seed) == (7, 4, 3)


def test_a_resolved_recipe_stays_resolved_without_other_parts() -> None:
    Path("r.toml").write_text("resolved = true\n")
    assert asked_recipe(Asked(recipe="r.toml", seed=4, settings=("run.steps=6",)), host()).resolved


RESOLVED = """resolved = true
[run]
temperature = 0.0001
steps = 5
[optim.energy]
lr = 0.1
[optim.mine]
lr = 0.2
[[sampler]]
use = "sgld"
[[objective]]
use = "cd"
[[objective]]
use = "mine"
"""


@pytest.mark.parametrize("flags", [{"sampler": "mala"}, {"coordinate": "label"}])
def test_replaced_samplers_and_coordinates_take_their_temperature_along(flags, capsys) -> None:
    Path("r.toml").write_text(RESOLVED)
    recipe = asked_recipe(Asked(recipe="r.toml", **flags), host())
    assert recipe.tables["run"] == {"steps": 5} and recipe.optim.keys() == {"energy", "mine"}
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and not said.out
    assert f"run.temperature = 0.0001 is left out: --{next(iter(flags))}" in said.err


def test_another_exact_sampler_has_temperature_one(capsys) -> None:
    Path("r.toml").write_text(RESOLVED)
    recipe = asked_recipe(Asked(recipe="r.toml", sampler="mala", objective="cd"), host())
    assert resolve(recipe, host()).recipe.table("run").temperature == 1.0


def test_a_temperature_that_is_set_needs_no_remark(capsys) -> None:
    Path("r.toml").write_text(RESOLVED)
    asked = Asked(recipe="r.toml", sampler="mala", objective="cd+mine", settings=("run.temperature=0.5",))
    assert dict(asked_recipe(asked, host()).overrides)["run.temperature"] == 0.5
    assert not capsys.readouterr().err


@pytest.mark.parametrize("flags", [{"data": "toy"}, {"steps": 7}, {"energy": "mlp"}, {"data": "toy", "steps": 7}])
def test_other_flags_keep_temperature_and_optimisers(flags, capsys) -> None:
    Path("r.toml").write_text(RESOLVED)
    recipe = asked_recipe(Asked(recipe="r.toml", **flags), host())
    assert recipe.tables["run"]["temperature"] == 0.0001 and recipe.optim.keys() == {"energy", "mine"}
    assert not capsys.readouterr().err


def test_replaced_objectives_take_their_optimisers_along(capsys) -> None:
    Path("r.toml").write_text(RESOLVED)
    recipe = asked_recipe(Asked(recipe="r.toml", objective="cd"), host())
    assert recipe.optim == {"energy": {"lr": 0.1}} and recipe.tables["run"]["temperature"] == 0.0001
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("[optim.mine] is left out")
    resolve(recipe, host())


def test_a_recipe_that_is_not_resolved_says_what_its_author_meant(capsys) -> None:
    Path("r.toml").write_text(RESOLVED.removeprefix("resolved = true\n"))
    recipe = asked_recipe(Asked(recipe="r.toml", sampler="mala", objective="cd"), host())
    assert recipe.tables["run"]["temperature"] == 0.0001 and "mine" in recipe.optim
    assert not capsys.readouterr().err


def test_run_names() -> None:
    made = resolve(asked_recipe(Asked(energy="mlp"), host()), host()).recipe
    assert run_name(Asked(energy="mlp"), made) == "mlp-cd"
    assert run_name(Asked(energy="mlp", objective="energy-l2+cd"), made) == "mlp-energy-l2+cd"
    assert run_name(Asked(recipe="shipped", energy="mlp"), made) == "shipped"
    Path("mine.toml").touch()
    assert run_name(Asked(recipe="mine.toml"), made) == "mine"
    Path("runs/mlp-cd-007").mkdir(parents=True)
    Path("runs/mlp-cd-007/recipe.toml").touch()
    assert run_name(Asked(recipe="runs/mlp-cd-007/recipe.toml"), made) == "mlp-cd"


def test_an_observer_leaves_a_resolved_recipe_as_it_was_resolved(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("resolved = true\n[run]\ntemperature = 0.5\n[energy]\nuse = 'mlp'\n")
    named = asked_recipe(Asked(recipe=str(tmp_path / "r.toml"), observer="diary"), host())
    assert named.resolved and named.parts["observer"] == (Part("diary"),)
    assert not asked_recipe(Asked(recipe=str(tmp_path / "r.toml"), observer="diary", energy="mlp"), host()).resolved

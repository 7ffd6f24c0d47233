"""`--set` reaches exactly one part, or says why not."""

from dataclasses import dataclass
from typing import Any

import pytest

from ebmkit.errors import RecipeError
from ebmkit.plugins.component import Component, Include, NoConfig
from ebmkit.plugins.host import Host
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.recipes.recipe import Recipe, from_mapping
from ebmkit.recipes.resolver.resolve import resolve


@dataclass(frozen=True, kw_only=True)
class Moves:
    moves: int = 10
    step: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Strength:
    moves: int = 1
    strength: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Net:
    width: int = 8
    head: str = "linear"


QUIET = SamplerTraits(asks_gradient=False)
"""A sampler that gives no word."""


def declared(kind: str, name: str, config: type = NoConfig, **more: Any) -> Component:
    if kind == "sampler":
        more.setdefault("traits", QUIET)
    return Component(kind=kind, name=name, config=config, build="n:x", summary="", **more)


SHELF = Host()
for component in (
    declared("dataset", "data"), declared("buffer", "keep"), declared("energy", "net", Net),
    declared("sampler", "walk", Moves), declared("sampler", "jump", Moves),
    declared("sampler", "shake", Strength, skip=lambda c, s: "too weak" if c.strength < 0.5 else ""),
    declared("objective", "fit"), declared("objective", "penalty", Strength),
    declared("objective", "guide", includes=(
        Include("sampler", "shake", before="walk"), Include("objective", "penalty"),
    )),
):  # fmt: skip
    SHELF.register(component)

ASKED = {
    "data": {"use": "data"}, "buffer": {"use": "keep"}, "energy": {"use": "net"},
    "sampler": [{"use": "walk"}], "objective": [{"use": "guide"}],
}  # fmt: skip


def resolved(*overrides: tuple[str, Any], **asked: Any) -> Recipe:
    return resolve(from_mapping({**ASKED, **asked}).with_overrides(overrides), SHELF).recipe


def settings(recipe: Recipe, table: str, name: str) -> Any:
    return next(part for part in recipe.parts[table] if part.use == name).settings


def refused(*overrides: tuple[str, Any], **asked: Any) -> str:
    with pytest.raises(RecipeError) as caught:
        resolved(*overrides, **asked)
    return str(caught.value)


@pytest.mark.parametrize("path", ["sampler.step", "sampler.walk.step", "sampler.0.step"])
def test_every_form_reaches_the_part(path: str) -> None:
    assert settings(resolved((path, 0.5)), "sampler", "walk")["step"] == 0.5


@pytest.mark.parametrize("path", ["energy.width", "energy.net.width", "energy.0.width"])
def test_a_single_part_is_reached_by_its_table(path: str) -> None:
    assert settings(resolved((path, 3)), "energy", "net")["width"] == 3


@pytest.mark.parametrize("path", ["sampler.strength", "sampler.shake.strength"])
def test_parts_that_are_added_are_reached(path: str) -> None:
    assert settings(resolved((path, 0.7)), "sampler", "shake")["strength"] == 0.7


def test_rules_see_what_is_set_on_a_part_that_would_be_added() -> None:
    with pytest.raises(RecipeError, match=r"sampler shake is not part of this run: too weak"):
        resolved(("sampler.shake.strength", 0.1))


def test_the_bare_form_that_several_have_names_every_form() -> None:
    said = refused(("sampler.moves", 5))
    assert "several parts have it" in said
    assert "sampler.shake.moves or sampler.walk.moves or sampler.0.moves" in said


def test_two_parts_of_one_name_are_told_apart_by_index() -> None:
    twice = [{"use": "walk"}, {"use": "walk"}]
    assert "sampler.0.step or sampler.1.step" in refused(("sampler.walk.step", 0.5), sampler=twice)
    found = resolved(("sampler.1.step", 0.5), sampler=twice).parts["sampler"]
    assert [part.settings.get("step") for part in found] == [None, 0.1, 0.5]


def test_an_index_counts_what_was_named() -> None:
    """`shake` is put before `walk`, but was not named."""
    found = resolved(("sampler.0.moves", 7))
    assert [(part.use, part.settings["moves"]) for part in found.parts["sampler"]] == [("shake", 1), ("walk", 7)]


def test_the_last_override_counts() -> None:
    assert settings(resolved(("sampler.step", 0.5), ("sampler.walk.step", 0.7)), "sampler", "walk")["step"] == 0.7


def test_overrides_beat_the_recipe() -> None:
    found = resolved(("sampler.step", 0.5), sampler=[{"use": "walk", "step": 0.3}])
    assert settings(found, "sampler", "walk")["step"] == 0.5


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("smapler.moves", 5, "there is no table 'smapler'. Did you mean 'sampler'?"),
        ("sampler.mvoes", 5, "no sampler of this run has it. Did you mean 'moves'? Settings: shake.moves,"),
        ("sampler.wlak.moves", 5, "this run has no sampler 'wlak'. Did you mean 'walk'? It has: shake, walk."),
        ("sampler.jump.moves", 5, "this run has no sampler 'jump'"),
        ("sampler.3.moves", 5, "this run has no sampler '3'"),
        ("sampler.walk.mvoes", 5, "[[sampler]] walk has no setting 'mvoes'. Did you mean 'moves'?"),
        ("sampler.walk.moves", "many", "[[sampler]] walk: moves: Input should be a valid integer, found 'many'"),
        ("sampler.walk.deep.moves", 5, "write sampler.SETTING or sampler.PART.SETTING=VALUE"),
        ("sampler", 5, "write sampler.SETTING"),
        ("energy.widht", 5, "[energy] net has no setting 'widht'. Did you mean 'width'?"),
        ("energy.mlp.width", 5, "this run has no energy 'mlp'"),
        ("wrapper.x", 5, "no wrapper of this run has it. Settings: none."),
        ("run.stesp", 5, "[run] has no setting 'stesp'. Did you mean 'steps'?"),
        ("run.steps", -1, "[run]: steps: Input should be greater than 0, found -1"),
        ("run.steps.more", 5, "write run.SETTING=VALUE"),
        ("log.every", 0, "[log]: every:"),
        ("optim.lr", 1e-3, "write optim.OWNER.SETTING=VALUE"),
        ("optim.energy.rate", 1e-3, "[optim.energy] has no setting 'rate'"),
        ("optim.energy.lr", -1.0, "[optim.energy]: lr:"),
    ],
)
def test_what_reaches_nothing_says_so(path: str, value: Any, said: str) -> None:
    assert said in refused((path, value))


def test_tables_and_optimisers_are_reached() -> None:
    found = resolved(("run.steps", 7), ("log.every", 3), ("optim.energy.lr", 0.5), ("optim.guide.lr", 0.25))
    assert (found.table("run").steps, found.table("log").every) == (7, 3)
    assert (found.owner("energy").lr, found.owner("guide").lr) == (0.5, 0.25)


def test_a_resolved_recipe_can_still_be_overridden() -> None:
    found = resolve(resolved().with_overrides([("sampler.walk.step", 0.5), ("run.steps", 3)]), SHELF).recipe
    assert settings(found, "sampler", "walk")["step"] == 0.5
    assert found.table("run").steps == 3

"""Rules of the resolver on core's own parts."""

from typing import Any

import pytest

from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.recipes.resolver.resolve import Resolution, resolve
from tests.recipes.resolver.shelf import declared, resolution, used


def test_every_core_part_resolves_by_itself_or_says_what_it_lacks() -> None:
    for component, _ in host().all():
        table = "data" if component.kind == "dataset" else component.kind
        if table == "metric":
            continue
        try:
            found = resolve(Recipe(parts={table: (Part(component.name),)}), host()).recipe
        except (CapabilityError, RecipeError) as error:
            assert component.name in str(error)
        else:
            assert component.name in used(found, table)
            assert resolve(found, host()) == Resolution(found, ())


def test_labels_are_set_on_whatever_energy() -> None:
    for name in set(host().names("energy")) - {"convnet"}:  # has one energy, and none for each label
        parts = {"energy": (Part(name),), "coordinate": (Part("label"),)}
        assert resolve(Recipe(parts=parts), host()).recipe.part("energy").settings["labels"] is True


LEVELLED = (
    declared("coordinate", "depth", gives=("point.discrete", "point.noised")),
    declared("coordinate", "side", gives=("point.discrete",)),
    declared("coordinate", "kind", gives=("point.discrete",)),
    declared("wrapper", "every-value", gives=tuple(f"energy.levels.{name}" for name in ("side", "depth", "kind"))),
)


def gibbs_of(coordinate: str) -> Any:
    core = host().get("sampler", "gibbs")
    found = resolution(core, *LEVELLED, coordinate=coordinate, sampler="sgld+gibbs", wrapper="every-value").recipe
    return found.parts["sampler"][1].settings["coordinate"]


@pytest.mark.parametrize(("coordinate", "meant"), [("side", "side"), ("depth", "depth"), ("kind+depth+side", "depth")])
def test_gibbs_draws_the_coordinate_that_is_meant(coordinate: str, meant: str) -> None:
    assert gibbs_of(coordinate) == meant


def test_gibbs_asks_which_coordinate_is_meant() -> None:
    with pytest.raises(CapabilityError, match=r"it could draw kind or side\. Say which: sampler\.gibbs\.coordinate ="):
        gibbs_of("side+kind")
    core = host().get("sampler", "gibbs")
    with pytest.raises(CapabilityError, match=r"draws a discrete coordinate, and the run has none"):
        resolution(core, sampler="sgld+gibbs")

"""From what was asked to a complete recipe and its data set: one resolution, one data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ebmkit.assembly.build import build_dataset
from ebmkit.assembly.device import choose_device
from ebmkit.data.scale import measured
from ebmkit.errors import DataError
from ebmkit.plugins.host import host
from ebmkit.protocols.dataset import Dataset
from ebmkit.recipes.recipe import Recipe, from_mapping, from_toml, named_recipe
from ebmkit.recipes.resolver.asked_data import asked_data
from ebmkit.recipes.resolver.resolve import Resolution
from ebmkit.recipes.resolver.stages import resolve_run

Asked = Recipe | str | Path | Mapping[str, object]
"""A `Recipe`, a shipped recipe's name, a TOML file, TOML text or a mapping."""


@dataclass(frozen=True, kw_only=True)
class Complete:
    """A complete recipe, and the data set whose shape took part in completing it.

    Attributes:
        recipe: resolved.
        dataset: built; None where it cannot be had and the caller can do without.
        notes: one line for everything that was added, set or left out.
        missing: why there is no data set.
    """

    recipe: Recipe
    dataset: Dataset | None
    notes: tuple[str, ...] = ()
    missing: str = ""


def complete(recipe: Asked, *, needs_data: bool = True) -> Complete:
    """Returns the complete recipe of what was asked, with its data set: each is made once.

    Args:
        recipe: what was asked.
        needs_data: raise where the data cannot be had; else the recipe is completed without their shape.

    Raises:
        RecipeError, CapabilityError: the request is wrong; unknown names and settings are told before data are
            read.
        DataError: the data cannot be had.
    """
    asked = as_recipe(recipe)
    part = asked_data(asked, host())
    try:
        dataset = build_dataset(part, choose_device(asked_device(asked)))
    except DataError as error:
        if needs_data:
            raise
        resolution = resolve_run(asked, host())
        return Complete(recipe=resolution.recipe, dataset=None, notes=resolution.notes, missing=str(error))
    resolution = _resolved(asked, dataset)
    if resolution.recipe.part("data") != part:  # a part brought a data set of its own
        part = resolution.recipe.part("data")
        dataset = build_dataset(part, choose_device(asked_device(asked)))
        resolution = _resolved(asked, dataset)
    return Complete(recipe=resolution.recipe, dataset=dataset, notes=resolution.notes)


def _resolved(asked: Recipe, dataset: Dataset) -> Resolution:
    return resolve_run(asked, host(), tuple(dataset.event_shape), measured(dataset))


def as_recipe(recipe: Asked) -> Recipe:
    """Returns what `complete` takes, as a `Recipe`."""
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        return from_mapping(recipe)
    if isinstance(recipe, str) and "\n" in recipe:
        return from_toml(recipe)
    return named_recipe(str(recipe), host())


def asked_device(asked: Recipe) -> str:
    """Returns the device that a recipe asks for, overrides included."""
    run = asked.with_table(
        "run", **{path.removeprefix("run."): v for path, v in asked.overrides if path == "run.device"}
    )
    device: str = run.table("run").device
    return device

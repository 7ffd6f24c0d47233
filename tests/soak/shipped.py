"""Every shipped recipe, cut so small that it is made in a second or two: what kills are tried on."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import ebmkit
import ebmkit.sampling.named
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import SINGLES, Recipe, kind_of

DOCS = Path(__file__).parents[2] / "docs"
TABLES: dict[str, dict[str, object]] = {
    "run": {"steps": 4, "batch_size": 8, "engine": "eager", "checked_steps": 0},
    "checkpoint": {"every": 2}, "log": {"every": 1}, "pictures": {"every": 2, "n": 4}, "eval": {"every": 0},
    "sample": {"transitions": 100, "visits": 1},
}  # fmt: skip
HERE = ("toy", "toy-discrete", "fashion-mini")
"""Data sets that need no files."""
SMALL = {"moves": 2, "fill": 50, "reference": 8, "capacity": 32, "hidden": 16}
"""Settings of parts that cost time alone, and what they are cut to."""


def shipped() -> dict[str, Recipe]:
    """Returns name → recipe of all that the installed plugins ship, cut as docs/green_recipes.py cuts them, and more.

    Raises:
        LookupError: the data of one are not here, and docs/alarms_runs.py does not say how to cut it.
    """
    ebmkit.sampling.named.N_CHAINS, ebmkit.sampling.named.N_TRANSITIONS = 8, 4  # a run's steps are cut as well
    sys.path.insert(0, str(DOCS))
    for component in importlib.import_module("alarms_parts").COMPONENTS:
        if (component.kind, component.name) not in {(known.kind, known.name) for known, _ in host().all()}:
            ebmkit.register(component)
    plans, recipe_of = importlib.import_module("green_recipes").planned(), _recipe_of()
    return {
        name: cut(recipe_of(plans[name]) if name in plans else _on_data_that_are_here(name))
        for name in host().recipe_names()
    }


def _on_data_that_are_here(name: str) -> Recipe:
    recipe = ebmkit.as_recipe(name)
    if recipe.part("data").use not in HERE:
        raise LookupError(f"docs/alarms_runs.py does not say how to cut {name}, whose data are not here.")
    return recipe


def cut(recipe: Recipe) -> Recipe:
    """Returns a recipe of four steps, two checkpoints and two pictures, with few moves, rows and units."""
    of_tables = tuple((f"{table}.{name}", value) for table, own in TABLES.items() for name, value in own.items())
    if recipe.stages:
        steps = TABLES["run"]["steps"] // len(recipe.stages)
        of_tables = (*of_tables, *((f"stage.{stage.name}.steps", steps) for stage in recipe.stages))
    elif "sampler" not in recipe.parts:  # its pictures are samples, for which a sampler must first be adapted
        of_tables = (*of_tables, ("pictures.every", TABLES["run"]["steps"]))
    if "coordinate" not in recipe.parts:  # by which chains come back to data, after how many transitions nobody knows
        of_tables = (*of_tables, ("sample.transitions", 2))
    return recipe.with_overrides([*of_tables, *_smaller(recipe)])


def _smaller(recipe: Recipe) -> Iterator[tuple[str, object]]:
    for table, parts in recipe.parts.items():
        for part in parts:
            own = {field.name for field in fields(host().get(kind_of(table), part.use).config)}
            place = table if table in SINGLES else f"{table}.{part.use}"
            yield from ((f"{place}.{name}", value) for name, value in SMALL.items() if name in own)


def _recipe_of() -> Any:
    return importlib.import_module("alarms_measured").recipe_of

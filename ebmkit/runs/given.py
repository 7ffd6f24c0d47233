"""Parts of a run that a Python program handed over, and hands over again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ebmkit.assembly.device import choose_device
from ebmkit.data.given import given_data
from ebmkit.data.spec import DataSpec
from ebmkit.errors import DataError, RecipeError
from ebmkit.protocols.dataset import Dataset
from ebmkit.recipes.recipe import SINGLES, Part, Recipe


def with_given(recipe: Recipe, given: Mapping[str, Any], data: DataSpec | None = None) -> Recipe:
    """Returns the recipe of a run with parts that are handed over, by table: {"energy": net, "data": x}.

    Data are given the value range of those of the run, `data`, where that is known, and are to be as many as those.
    Where a table holds several, as objectives, a list of those that are no plugin's, in the order of the recipe.

    Raises:
        RecipeError: the recipe names that part itself, or another number of them is given.
        DataError: data have another shape, other classes or another number of rows than those of the run.
    """
    if not isinstance(given, Mapping):
        raise RecipeError(f"given is parts by table, {{'energy': …}}, found {type(given).__name__}.")
    for table, built in given.items():
        places = [i for i, part in enumerate(recipe.parts.get(table, ())) if "given" in part.settings]
        items = list(built) if table not in SINGLES and isinstance(built, (list, tuple)) else [built]
        if len(items) != len(places):
            raise RecipeError(
                f"given: {len(items)} of [{table}] handed over, but the recipe of the run has {len(places)} that came "
                "from a program. Parts that it names are built from the recipe: leave them out."
            )
        parts = list(recipe.parts[table])
        for place, item in zip(places, items, strict=True):
            parts[place] = replace(parts[place], built=_as_part(table, item, recipe, data))
        recipe = recipe.with_part(table, *parts)
    return recipe


def _as_part(table: str, item: Any, recipe: Recipe, data: DataSpec | None) -> Any:
    if table != "data":
        return item
    device = choose_device(recipe.table("run").device)
    found = given_data(item, device=device, value_range=None if data is None else data.value_range)
    if data is not None:
        _check_same(found, data)
    return found


def _check_same(found: Dataset, data: DataSpec) -> None:
    both = {
        "shape": (list(data.event_shape), list(found.event_shape)),
        "classes": (data.n_classes, found.n_classes),
        "rows": (data.n_data, len(found)),
        "value_range": (data.value_range, found.value_range),
    }
    different = [f"{name} {ours}, now {theirs}" for name, (ours, theirs) in both.items() if ours != theirs]
    if different:
        raise DataError(
            f"The data handed over are not those of the run: {'; '.join(different)}. Give the same data, or start "
            "another run with ebmkit.fit."
        )


def given_of(recipe: Recipe) -> dict[str, Any]:
    """Returns the parts of a recipe that were handed over, as `with_given` takes them; data are left out."""
    found = {table: [part.built for part in parts] for table, parts in _handed_over(recipe) if table != "data"}
    return {table: items[0] if table in SINGLES else items for table, items in found.items()}


def names_given(recipe: Recipe) -> list[str]:
    """Returns table and name of each part that was handed over."""
    found = [f"{table} {part.use}" for table, parts in _handed_over(recipe) for part in parts if table != "data"]
    return [*found, *(["the data"] if recipe.part("data").built is not None else [])]


def to_resume(recipe: Recipe, directory: Path) -> str:
    """Returns what goes on with a run: a command, or a call of Python where parts of it were handed over."""
    tables = [table for table, _ in _handed_over(recipe)]
    if not tables:
        return f"ebmkit resume {directory}"
    return f"ebmkit.resume({str(directory)!r}, given={{{', '.join(f'{table!r}: …' for table in tables)}}})"


def _handed_over(recipe: Recipe) -> Iterator[tuple[str, list[Part]]]:
    for table, parts in recipe.parts.items():
        if given := [part for part in parts if part.built is not None]:
            yield table, given

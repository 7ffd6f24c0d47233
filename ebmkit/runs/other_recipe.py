"""Whether a directory holds a run of the recipe that is wanted."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from ebmkit.errors import RecipeError
from ebmkit.plain_files import check_plain
from ebmkit.recipes.recipe import Recipe, read_recipe
from ebmkit.runs.files.directory import OWN

MAY_DIFFER = {("run", "steps"), ("run", "max_minutes")}
"""Settings that are another process's own affair."""


def refuse_other(directory: Path, wanted: Recipe) -> None:
    """Raises RecipeError where a run was made by another recipe than the wanted one, its steps and minutes aside."""
    check_plain(directory, OWN)
    different = list(_differences(read_recipe(directory / "recipe.toml"), wanted))
    if different:
        raise RecipeError(
            f"{directory} holds a run of another recipe; different: {', '.join(different)}. "
            f"Resume it as it is with `ebmkit resume {shlex.quote(str(directory))}`, or choose another --out."
        )


def _differences(made: Recipe, wanted: Recipe) -> Iterator[str]:
    for table in sorted({*made.parts, *wanted.parts}):
        if made.parts.get(table, ()) != wanted.parts.get(table, ()):
            yield f"[{table}]"
    for name, settings in wanted.tables.items():
        for key, value in settings.items():
            if (name, key) not in MAY_DIFFER and value not in ("auto", made.tables.get(name, {}).get(key)):
                yield f"{name}.{key}"
    for owner in sorted(made.optim.keys() & wanted.optim.keys()):
        if made.optim[owner] != wanted.optim[owner]:
            yield f"[optim.{owner}]"
    yield from _differing_stages(made, wanted)


def _differing_stages(made: Recipe, wanted: Recipe) -> Iterator[str]:
    """Yields the stages that are others; the last one may have another number of steps."""
    if [stage.name for stage in made.stages] != [stage.name for stage in wanted.stages]:
        yield f"stages {_names(made)}, now {_names(wanted)}"
        return
    for one, two in zip(made.stages, wanted.stages, strict=True):
        free = {"steps"} if two is wanted.stages[-1] else set[str]()
        same = all(value in ("auto", one.settings.get(key)) for key, value in two.settings.items() if key not in free)
        optim = all(one.optim[owner] == two.optim[owner] for owner in one.optim.keys() & two.optim.keys())
        if not same or not optim or one.parts != two.parts:
            yield f"stage {one.name}"


def _names(recipe: Recipe) -> str:
    return ", ".join(stage.name for stage in recipe.stages) or "none"

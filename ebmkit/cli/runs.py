"""Run directories as the command line sees them: where a new one goes, what is there already, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from ebmkit.errors import RecipeError
from ebmkit.recipe import Recipe, read_recipe

TREE = Path("runs")
WRITTEN = (
    "checkpoints/.writing-*/*", "checkpoints/.writing-*", "checkpoints", "samples/step-*.png", "tensorboard/events.*",
    "metrics.jsonl", "environment.json", "recipe.toml",
)  # fmt: skip


def free_directory(name: str) -> Path:
    """Returns `runs/<name>-NNN` with the first free number."""
    return next(path for n in count(1) if not (path := TREE / f"{name}-{n:03d}").exists())


def is_run(directory: Path) -> bool:
    """Whether a directory holds a run."""
    return (directory / "recipe.toml").is_file()


def newest_picture(directory: Path) -> Path | None:
    """Returns the newest picture of the chains of a run."""
    return max((directory / "samples").glob("step-*.png"), default=None)


def refuse_other(directory: Path, wanted: Recipe) -> None:
    """Raises RecipeError where a run was made by another recipe than the wanted one, its number of steps aside."""
    different = list(_differences(read_recipe(directory / "recipe.toml"), wanted))
    if different:
        raise RecipeError(
            f"{directory} holds a run of another recipe; different: {', '.join(different)}. "
            f"Resume it as it is with `ebmkit resume {shlex.quote(str(directory))}`, or choose another --out."
        )


def clear_start(directory: Path) -> None:
    """Removes what a run wrote that ended before its first checkpoint; its recipe goes last."""
    for pattern in WRITTEN:
        for path in directory.glob(pattern):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()


def next_lines(directory: Path, steps: int, plugin_files: tuple[Path, ...] = ()) -> Iterator[str]:
    """Yields the last lines of a run: the newest picture, and how to go on and to sample."""
    picture, where = newest_picture(directory), shlex.quote(str(directory))
    files = "".join(f" --plugin {shlex.quote(str(path))}" for path in plugin_files)
    yield f"Train on:  ebmkit resume {where} --steps {2 * steps}{files}"
    yield f"Sample:    ebmkit sample {where} -n 64 --out samples.{'npz' if picture is None else 'png'}{files}"
    if picture is not None:
        yield f"Picture:   {picture}"
    yield f"Run:       {directory}"


def _differences(made: Recipe, wanted: Recipe) -> Iterator[str]:
    for table in sorted({*made.parts, *wanted.parts}):
        if made.parts.get(table, ()) != wanted.parts.get(table, ()):
            yield f"[{table}]"
    for name, settings in wanted.tables.items():
        for key, value in settings.items():
            if (name, key) != ("run", "steps") and value not in ("auto", made.tables.get(name, {}).get(key)):
                yield f"{name}.{key}"
    for owner in sorted(made.optim.keys() & wanted.optim.keys()):
        if made.optim[owner] != wanted.optim[owner]:
            yield f"[optim.{owner}]"

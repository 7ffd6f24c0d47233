"""Run directories: where a new one goes, what is there already, how files come into it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, CheckpointError, RecipeError, RunError
from ebmkit.plain_files import check_plain, read_json, remove, write_new
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import Part, Recipe, kind_of, read_recipe
from ebmkit.recipes.resolver.stages import resolve_run
from ebmkit.runs.files.whole import written_whole
from ebmkit.runs.given import with_given


def write_text(path: Path, text: str) -> None:
    """Replaces a file by new text, whole or not at all; raises RunError where the disk refuses."""
    try:
        with written_whole(path) as fresh:
            write_new(fresh, text)
    except OSError as error:
        raise RunError(f"{path} could not be written: {error}. Free some space and try again.") from error


def recipe_of(
    directory: Path,
    given: Mapping[str, Any] | None = None,
    data: DataSpec | None = None,
    *,
    for_training: bool = False,
) -> Recipe:
    """Returns the recipe of a run, checked, with the parts that a program hands over; see `with_given`.

    A model can do without metrics and observers that no plugin gives here, and without observers that were handed
    over: they are left out, and refused `for_training`.

    Raises:
        CheckpointError, RecipeError: it is absent or damaged, or a part that was handed over is not given.
    """
    check_is_run(directory)
    check_plain(directory, OWN)
    with _naming(directory / "recipe.toml"):
        return _checked(directory, given, data, for_training)


def _checked(directory: Path, given: Mapping[str, Any] | None, data: DataSpec | None, for_training: bool) -> Recipe:
    """Returns the recipe of a run, resolved; see `recipe_of`."""
    recipe = with_given(read_recipe(directory / "recipe.toml"), {} if given is None else given, data)
    if not recipe.resolved or recipe.table("run").temperature is None:
        lacking = "run.temperature" if recipe.resolved else "the mark resolved = true"
        raise RecipeError(f"{directory / 'recipe.toml'} lacks {lacking}, which every run writes: put it back.")
    if not for_training:
        recipe = _without_foreign(recipe)
    _check_installed(directory, recipe)
    return resolve_run(recipe, host()).recipe


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Puts the name of a recipe before what is wrong with it, where that does not say it."""
    try:
        yield
    except (RecipeError, CapabilityError) as error:
        if str(path.parent) in str(error) or str(error).startswith("given"):
            raise
        raise type(error)(f"{path}: {error}") from error


def foreign_metrics(directory: Path) -> str:
    """Returns what is to be said of the metrics of a run that no plugin gives here, "" where there are none."""
    metrics = read_recipe(directory / "recipe.toml").parts.get("metric", ())
    missing = [f"metric {p.use}" for p in metrics if "given" not in p.settings and p.use not in host().names("metric")]
    if not missing:
        return ""
    return (
        f"Left out: {', '.join(missing)} of the recipe, which no installed plugin gives. "
        f"Install {_packages(directory, missing)}, or pass its file with --plugin.{host().not_loaded()}"
    )


def _without_foreign(recipe: Recipe) -> Recipe:
    """Returns a recipe without the metrics and observers that are not here."""
    for kind in ("metric", "observer"):
        named = recipe.parts.get(kind, ())
        known = tuple(part for part in named if part.built is not None or _is_here(kind, part))
        recipe = recipe if known == named else recipe.with_part(kind, *known)
    return recipe


def _is_here(kind: str, part: Part) -> bool:
    return part.use in host().names(kind) or (kind == "metric" and "given" in part.settings)


def _check_installed(directory: Path, recipe: Recipe) -> None:
    """Raises RecipeError where a run was made with a part that no plugin gives here."""
    missing = [
        f"{kind_of(table)} {part.use}"
        for table, parts in recipe.parts.items()
        for part in parts
        if "given" not in part.settings and part.use not in host().names(kind_of(table))
    ]
    if missing:
        raise RecipeError(
            f"{directory} was made with {', '.join(missing)}, which no installed plugin gives. "
            f"Install {_packages(directory, missing)}, or name it in EBMKIT_PLUGINS where that is set; or pass its "
            f"file with --plugin.{host().not_loaded()}"
        )


def _packages(directory: Path, missing: list[str]) -> str:
    """Returns the packages that parts came from, as the run wrote them down when it began."""
    try:
        origins = read_json(directory / "environment.json")["parts"]
        return " and ".join(dict.fromkeys(origins[part] for part in missing))
    except (OSError, ValueError, LookupError, TypeError):
        return "the plugin that it came from"


def clear(directory: Path, *, recipe_too: bool) -> None:
    """Removes what a run wrote before its first checkpoint; its recipe and environment only if asked, and last."""
    for pattern in (*WRITTEN, *(START if recipe_too else ())):
        for path in directory.glob(pattern):
            if path.is_dir() and not path.is_symlink() and not path.name.startswith((".writing-", "damaged-")):
                path.rmdir()
            else:
                remove(path)


def check_free(directory: Path) -> None:
    """Raises RecipeError where a directory cannot take a new run, CheckpointError where links lead out of it."""
    check_plain(directory, OWN)
    if (directory / "recipe.toml").exists():
        raise RecipeError(f"{directory} already holds a run: `ebmkit resume {directory}`, or choose another --out.")
    if (directory / "checkpoints").exists():
        raise RecipeError(f"{directory} already holds checkpoints, without a recipe.toml: choose another --out.")
    if directory.exists() and not directory.is_dir():
        raise RecipeError(f"{directory} is a file: choose another --out.")


def for_new_run(directory: Path, *, overwrite: bool, tell: Callable[[str], None]) -> Path:
    """Returns a directory for a new run: this one if it is free, or is to be made free, else with the next free number.

    Raises:
        RecipeError: it is a file.
        RunError: no other can be made.
    """
    if not is_run(directory):
        check_free(directory)
        return directory
    check_plain(directory, OWN)
    if overwrite:
        return directory
    numbered = _made_first(directory.with_name(f"{directory.name}-{n}") for n in count(2))
    tell(f"{directory} holds a run: this one goes to {numbered}. overwrite=True replaces it.")
    return numbered


def remove_run(directory: Path) -> None:
    """Removes what runs write from a directory, and nothing else; raises RunError where that cannot be done."""
    try:
        for name in OWN:
            remove(directory / name)
            remove(directory / f"damaged-{name}")
    except OSError as error:
        raise RunError(f"{directory} could not be cleared: {error}. Choose another directory.") from error


TREE = Path("runs")

OWN = (
    "recipe.toml", "environment.json", "metrics.jsonl", "alarms.jsonl", "report.html",
    "checkpoints", "samples", "tensorboard", "evaluation",
)  # fmt: skip
"""What runs write in their directories. None of it may be a link, a device or a FIFO, nor anything below it."""

WRITTEN = (
    "checkpoints/.writing-*",
    "checkpoints/damaged-*",
    "samples/.writing-*",
    "samples/*-????????.png",
    "evaluation/step-????????*",
    "tensorboard/events.*",
    "metrics.jsonl",
    "alarms.jsonl",
)
"""What a run writes while it goes, beside its checkpoints."""

START = ("checkpoints", "environment.json", "recipe.toml")
"""What is there from its start."""


def free_directory(name: str) -> Path:
    """Makes `runs/<name>-NNN` with the first free number, which no other process gets, and returns it.

    Of the name, what no path takes for a folder or a step up.
    """
    name = re.sub(r"[^\w.+-]+", "-", name).strip(".-") or "run"
    return _made_first(TREE / f"{name[:100]}-{n:03d}" for n in count(1))


def _made_first(paths: Iterator[Path]) -> Path:
    """Makes the first of some directories that is not there, and returns it; raises RunError where none can be made."""
    for path in paths:
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            if path.parent.exists() and not path.parent.is_dir():
                raise RunError(f"{path.parent} is a file: choose another --out.") from None
        except OSError as error:
            raise RunError(f"{path} could not be made: {error}. Choose another --out.") from error
        else:
            return path
    raise AssertionError("numbers do not end")


def is_run(directory: Path) -> bool:
    """Whether a directory holds a run."""
    return (directory / "recipe.toml").is_file()


def check_is_run(directory: Path) -> None:
    """Raises CheckpointError where a directory holds no run."""
    if not is_run(directory):
        raise CheckpointError(f"{directory} holds no run: there is no {directory / 'recipe.toml'}.")


def newest_picture(directory: Path) -> Path | None:
    """Returns the newest picture of the chains of a run."""
    return max((directory / "samples").glob("step-*.png"), default=None)

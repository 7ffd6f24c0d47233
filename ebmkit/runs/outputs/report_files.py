"""The files of a run directory as a report takes them; what is damaged or missing is left out, and why is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ebmkit.errors import DataError, RecipeError
from ebmkit.evaluation.record import FOLDER, from_json
from ebmkit.evaluation.report.content import Evaluated, RunContent
from ebmkit.plain_files import read_json, read_text
from ebmkit.recipes.recipe import Recipe, read_recipe
from ebmkit.runs.checkpoints.checkpoint import checkpoints
from ebmkit.runs.log.lines import read_lines
from ebmkit.runs.log.logbook import read_metrics
from ebmkit.runs.log.times import training_seconds

PICTURE = re.compile(r"(?P<name>.+)-(?P<step>\d{8,})")


def read_files(directory: Path, name: str) -> RunContent:
    """Returns what the files of a run tell.

    Args:
        directory: of the run.
        name: what the report calls it.
    """
    left_out = list[str]()
    recipe, text = _recipe(directory, left_out)
    metrics = sorted(read_metrics(directory), key=lambda row: row["step"])
    if not metrics:
        left_out.append(f"Curves: {directory / 'metrics.jsonl'} holds no logged step.")
    steps = [int(path.name.removeprefix("step-")) for path in checkpoints(directory / "checkpoints") if _is_step(path)]
    if not steps:
        left_out.append("Whatever needs weights: there is no finished checkpoint.")
    seconds = training_seconds(directory)
    if not seconds:
        left_out.append("Training time: no TensorBoard file, which alone holds the clock, is there (log.tensorboard).")
    return RunContent(
        name=name,
        directory=str(directory),
        recipe=recipe,
        recipe_text=text,
        metrics=metrics,
        alarms=[line for line in read_lines(directory / "alarms.jsonl") if isinstance(line.get("alarm"), str)],
        environment=_environment(directory, left_out),
        seconds=seconds,
        checkpoints=steps,
        pictures=_pictures(directory),
        evaluations=[found for path in _evaluation_files(directory) for found in _evaluation(path, left_out)],
        left_out=left_out,
    )


def _recipe(directory: Path, left_out: list[str]) -> tuple[Recipe | None, str]:
    path = directory / "recipe.toml"
    try:
        return read_recipe(path), read_text(path)
    except (RecipeError, OSError) as error:
        left_out.append(f"The recipe, and what is said of its parts: {error}")
        return None, ""


def _environment(directory: Path, left_out: list[str]) -> Mapping[str, Any]:
    try:
        found = read_json(directory / "environment.json")
    except (OSError, ValueError) as error:
        left_out.append(f"Versions and device: {directory / 'environment.json'} cannot be read: {error}")
        return {}
    return found if isinstance(found, dict) else {}


def _pictures(directory: Path) -> dict[str, list[tuple[int, Path]]]:
    """Returns the pictures of training, by name and step."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted((directory / "samples").glob("*.png")):
        match = PICTURE.fullmatch(path.stem)
        if match and not path.name.startswith("."):
            found.setdefault(match["name"], []).append((int(match["step"]), path))
    return {name: sorted(found[name]) for name in sorted(found)}


def _evaluation_files(directory: Path) -> list[Path]:
    """Returns the files of evaluations by step, later ones of a step after earlier ones."""
    found = {
        path: re.fullmatch(r"step-(\d+)(?:-(\d+))?", path.stem) for path in (directory / FOLDER).glob("step-*.json")
    }
    return sorted((p for p, match in found.items() if match), key=lambda p: _order(found[p]))


def _order(match: re.Match[str] | None) -> tuple[int, int]:
    assert match is not None
    return int(match[1]), int(match[2] or 1)


def _evaluation(path: Path, left_out: list[str]) -> Iterator[Evaluated]:
    """Yields the evaluation of a file, nothing where it is damaged."""
    try:
        raw = read_json(path)
        if not isinstance(raw, dict):
            raise DataError(f"{path} holds no evaluation.")
        yield Evaluated(found=from_json(raw, str(path)), folder=path.parent)
    except (OSError, ValueError, TypeError, AttributeError, DataError) as error:
        left_out.append(f"Metrics of {path.name}: {error}")


def _is_step(path: Path) -> bool:
    return path.name.removeprefix("step-").isdigit()

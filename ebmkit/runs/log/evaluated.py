"""Evaluations beside a run: numbers as JSON, pictures as PNG."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import count
from pathlib import Path

from ebmkit.errors import RunError
from ebmkit.evaluation.record import FOLDER, Evaluation, Judgement, as_json
from ebmkit.runs.files.directory import write_text
from ebmkit.runs.files.whole import written_whole


def save_evaluation(directory: Path, evaluation: Evaluation, to: Path | None = None) -> Path:
    """Writes an evaluation into `DIRECTORY/evaluation`, or to a file, pictures beside it; returns the JSON file.

    A second one of the same step gets the next free number.

    Raises:
        RunError: the disk refuses.
    """
    path = to or _free(directory / FOLDER, f"step-{evaluation.step:08d}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        taken = set[str]()
        metrics = tuple(_with_pictures(found, path, taken) for found in evaluation.metrics)
    except OSError as error:
        message = f"{path.parent} could not be written: {error}. Name another --out, or free some space."
        raise RunError(message) from error
    write_text(path, json.dumps(as_json(replace(evaluation, metrics=metrics)), indent=1) + "\n")
    return path


def _free(folder: Path, name: str) -> Path:
    names = (name if i == 1 else f"{name}-{i}" for i in count(1))
    return next(path for n in names if not (path := folder / f"{n}.json").exists())


def _with_pictures(found: Judgement, path: Path, taken: set[str]) -> Judgement:
    """Writes the pictures of a metric and returns it with their names, which are not among those that are taken."""
    pictures = dict(found.pictures)
    for name, picture in found.drawn.items():
        plain = f"{path.stem}-{found.name}-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}"
        names = (f"{plain}.png" if i == 1 else f"{plain}-{i}.png" for i in count(1))
        file = next(one for one in names if one not in taken)
        taken.add(file)
        with written_whole(path.with_name(file)) as fresh:
            picture.save(fresh)
        pictures[name] = file
    return replace(found, pictures=pictures)

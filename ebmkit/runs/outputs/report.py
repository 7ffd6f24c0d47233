"""`ebmkit report`: reads run directories, asks their models, and writes one HTML page."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ebmkit.display.doing import doing
from ebmkit.display.watching import preparing
from ebmkit.errors import CheckpointError, RecipeError
from ebmkit.evaluation.report.asked import ask, leaving_out
from ebmkit.evaluation.report.content import Drawn, RunContent
from ebmkit.evaluation.report.page import page
from ebmkit.plain_files import check_plain
from ebmkit.runs.files.directory import OWN, is_run, write_text
from ebmkit.runs.files.located import run_directory, writable_directory
from ebmkit.runs.finished import Run
from ebmkit.runs.loaded import load
from ebmkit.runs.outputs.report_files import read_files
from ebmkit.sampling.model import Model
from ebmkit.version import __version__

Runs = Run | str | Path | Sequence[Run | str | Path]

FILE = "report.html"


def report(
    runs: Runs,
    out: str | Path | None = None,
    *,
    n: int = 36,
    transitions: int | None = None,
    visits: int | None = None,
    seconds: float = 60,
    sampling: bool = True,
    device: str | None = None,
) -> Path:
    """Writes one self-contained HTML page on a run, or on several side by side.

    What cannot be had, as the model of a run whose plugin is missing, is left out, and the page says so and why.

    Args:
        runs: a run, its directory, `pretrained:NAME`, or several of them.
        out: the page, which is overwritten; unset, `report.html` in the first directory, of a run that
            comes with ebmkit in `pretrained-NAME` here.
        n: fresh chains of each model.
        transitions: of each chain; unset, as the recipe says, and by visits to data at most 500.
        visits: to data, after which such a chain is taken; unset, as the recipe says.
        seconds: after which the chains of a model are given up, and the page does without them.
        sampling: ask the models for chains and energies; else files alone are read.
        device: of the models; unset, those of the runs.

    Returns:
        The path of the page.

    Raises:
        CheckpointError: a directory holds no run.
        RecipeError: no run is named, n is below 1, or the page has no place.
        RunError: the page cannot be written.
    """
    named = [runs] if isinstance(runs, (Run, str, Path)) else list(runs)
    directories = [run.directory if isinstance(run, Run) else run_directory(run) for run in named]
    _check(directories, n)
    path = _beside(named[0]) if out is None else Path(out)
    check_page(path)
    contents = list[RunContent]()
    for given, directory, name in zip(named, directories, names(directories), strict=True):
        with preparing():
            doing(f"reading {directory}")
            content = read_files(directory, name)
        opening = partial(_model, given, directory, device)
        asking = partial(ask, n=n, transitions=transitions, visits=visits, seconds=seconds)
        contents.append(_asked(content, opening, asking) if sampling else _unasked(content))
    with preparing():
        doing(f"writing {path}")
        write_text(path, page(contents, __version__))
    return path


def _beside(run: Run | str | Path) -> Path:
    """Returns where the page of a run goes, in a folder that is there."""
    directory = run.directory if isinstance(run, Run) else writable_directory(run)
    directory.mkdir(exist_ok=True)
    return directory / FILE


def check_page(path: Path) -> None:
    """Raises RecipeError where no page can be written."""
    if path.is_dir():
        raise RecipeError(f"--out {path} is a folder: name a file, as {path / FILE}.")
    if not path.parent.is_dir():
        raise RecipeError(f"--out {path}: there is no folder {path.parent}. Make it first.")
    if not os.access(path.parent, os.W_OK):
        raise RecipeError(f"Nothing can be written to {path.parent.resolve()}: name another file with --out.")


def names(directories: Sequence[Path]) -> list[str]:
    """Returns what the runs are called: the last parts of their paths, as many as tell them apart, then numbers."""
    parts = [directory.resolve().parts for directory in directories]
    depth = 1
    while depth < max(map(len, parts)) and len({p[-depth:] for p in parts}) < len(set(parts)):
        depth += 1
    called = ["/".join(p[-depth:]).lstrip("/") or "/" for p in parts]
    return [
        name if called.count(name) == 1 else f"{name} ({called[:i].count(name) + 1})" for i, name in enumerate(called)
    ]


def _check(directories: Sequence[Path], n: int) -> None:
    if not directories:
        raise RecipeError("A report needs a run: name its directory.")
    if n < 1:
        raise RecipeError(f"A report needs at least one chain, found n = {n}.")
    for directory in directories:
        if not is_run(directory):
            raise CheckpointError(f"{directory} holds no run: there is no {directory / 'recipe.toml'}.")
        check_plain(directory, OWN)


def _model(given: Run | str | Path, directory: Path, device: str | None) -> Model:
    return given.model if isinstance(given, Run) else load(directory, device=device).model


def _asked(content: RunContent, opening: Callable[[], Model], asking: Callable[[Model], Drawn]) -> RunContent:
    """Returns the content with what the model shows, or with the reason why it shows nothing."""
    left_out, shown = list[str](), list[Drawn]()
    with leaving_out("Fresh chains, their way from noise, and energies", left_out):
        with preparing():
            model = opening()
        shown.append(asking(model))
    return replace(content, drawn=shown[0] if shown else None, left_out=[*content.left_out, *left_out])


def _unasked(content: RunContent) -> RunContent:
    why = "Fresh chains, their way from noise, and energies: the model was not asked for them."
    return replace(content, left_out=[*content.left_out, why])

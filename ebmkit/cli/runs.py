"""Run directories as the command line sees them: where a new one goes, what is there already, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from ebmkit.runs.directory import newest_picture


def next_lines(directory: Path, steps: int, plugin_files: tuple[Path, ...] = ()) -> Iterator[str]:
    """Yields the last lines of a run: the newest picture, and how to go on and to sample."""
    picture, where = newest_picture(directory), shlex.quote(str(directory))
    files = "".join(f" --plugin {shlex.quote(str(path))}" for path in plugin_files)
    yield f"Train on:  ebmkit resume {where} --steps {2 * steps}{files}"
    yield f"Sample:    ebmkit sample {where} -n 64 --out samples.{'npz' if picture is None else 'png'}{files}"
    if picture is not None:
        yield f"Picture:   {picture}"
    yield f"Run:       {directory}"

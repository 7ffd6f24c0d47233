"""Checkpoints of later steps than the one that a run goes on from."""

from __future__ import annotations

from pathlib import Path

from ebmkit.plain_files import remove
from ebmkit.runs.checkpoints.checkpoint import checkpoints, step_of

ASIDE = "damaged-"
"""How the name of a damaged checkpoint begins, once a run has gone on without it."""


def set_aside(run_directory: Path, after: int) -> None:
    """Renames the checkpoints of later steps, which a run goes on without, so that none is taken for one of its own."""
    for path in checkpoints(run_directory / "checkpoints"):
        if step_of(path) > after:
            aside = path.with_name(f"{ASIDE}{path.name}")
            remove(aside)
            path.replace(aside)


def drop_later(directory: Path, step: int) -> None:
    """Removes the checkpoints of later steps, from which a run went back; raises OSError where it cannot."""
    for path in checkpoints(directory):
        if step_of(path) > step:
            remove(path)

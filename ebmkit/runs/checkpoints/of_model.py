"""What a checkpoint holds of the model, without what training alone needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ebmkit.runs.checkpoints import chosen
from ebmkit.runs.checkpoints.checkpoint import Saved, latest
from ebmkit.runs.checkpoints.shares import OWN


def checkpoint_of_model(directory: Path, note: Callable[[str], None], step: int | None = None) -> Saved:
    """Returns the checkpoint of a step, or the newest one that is whole; damaged ones are told.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    if step is not None:
        return chosen.of_step(directory, step, wanted=_is_of_model)
    latest(directory)
    saved = chosen.newest(directory, note, wanted=lambda name, names: _is_of_model(name))
    assert saved is not None, "one is there"
    return saved


def _is_of_model(name: str) -> bool:
    """Whether a file is needed by the model, and not by training alone."""
    return name.partition(".rank-")[0] not in OWN and not name.startswith("optim.")

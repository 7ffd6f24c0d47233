"""Which checkpoint of a run is taken, and which ones are put away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ebmkit.errors import CheckpointError
from ebmkit.plain_files import remove
from ebmkit.runs.checkpoints.checkpoint import ASIDE, Saved, checkpoints, load, step_of


def newest(
    run_directory: Path, note: Callable[[str], None], *, wanted: Callable[[str], bool] = lambda name: True
) -> Saved | None:
    """Returns the newest checkpoint that is whole, None where there is none at all; damaged ones are told by name.

    Raises:
        CheckpointError: there are some, and all are damaged.
    """
    wrong = list[CheckpointError]()
    for path in reversed(checkpoints(run_directory / "checkpoints")):
        try:
            saved = load(path, wanted)
        except CheckpointError as error:
            wrong.append(error)
            continue
        for damaged in wrong:
            note(f"Warning: {damaged} The checkpoint before it is taken, of step {saved.step}.")
        return saved
    if wrong:
        raise CheckpointError(
            f"{wrong[0]} There is no other checkpoint that could be taken: remove {run_directory / 'checkpoints'}, "
            "and the run starts over on resuming."
        )
    return None


def of_step(run_directory: Path, step: int, *, wanted: Callable[[str], bool] = lambda name: True) -> Saved:
    """Returns the checkpoint of one step.

    Raises:
        CheckpointError: there is none, or it is damaged; it says which there are.
    """
    found = {step_of(path): path for path in checkpoints(run_directory / "checkpoints")}
    if step not in found:
        there = ", ".join(map(str, found)) or "none"
        raise CheckpointError(
            f"{run_directory} keeps no checkpoint of step {step}. It keeps: {there}. "
            "The setting checkpoint.keep says how many stay."
        )
    return load(found[step], wanted)


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

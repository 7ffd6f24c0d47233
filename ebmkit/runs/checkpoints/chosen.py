"""Which checkpoint of a run is taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path

from ebmkit.errors import CheckpointError
from ebmkit.processes import World
from ebmkit.runs.checkpoints.checkpoint import Saved, checkpoints, load, read_state, step_of
from ebmkit.runs.checkpoints.shares import is_wanted

Wanted = Callable[[str, Collection[str]], bool]
"""Whether a file is to be read: its name, and those of all files of its checkpoint."""


def newest(
    run_directory: Path,
    note: Callable[[str], None],
    *,
    wanted: Wanted = lambda name, names: True,
    at_most: int | None = None,
) -> Saved | None:
    """Returns the newest checkpoint that is whole, None where there is none at all; damaged ones are told by name.

    Args:
        run_directory: of the run.
        note: is told.
        wanted: which files are read.
        at_most: step after which none is looked at.

    Raises:
        CheckpointError: there are some, and all are damaged.
    """
    wrong, found = list[CheckpointError](), checkpoints(run_directory / "checkpoints")
    for path in reversed(found):
        try:
            state = read_state(path)
            if at_most is not None and state["step"] > at_most:
                continue
            names = frozenset(state["files"])
            saved = load(path, lambda name, all=names: wanted(name, all))  # type: ignore[misc]
        except CheckpointError as error:
            if checkpoints(run_directory / "checkpoints") != found:  # a run that goes on drops this one, for a newer
                return newest(run_directory, note, wanted=wanted, at_most=at_most)
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


def newest_together(run_directory: Path, note: Callable[[str], None], world: World) -> Saved | None:
    """Returns the newest checkpoint that is whole for all processes, of which each reads what it needs of it.

    Every process is told what is damaged, whichever of them found it.

    Raises:
        CheckpointError: there are some, and for one of the processes all are damaged.
    """
    heard, at_most = list[str](), None

    def wanted(name: str, names: Collection[str]) -> bool:
        return is_wanted(name, names, world)

    while True:
        saved = newest(run_directory, heard.append, wanted=wanted, at_most=at_most)
        steps = [int(step) for step in world.said_by_all(str(-1 if saved is None else saved.step))]
        if len(set(steps)) == 1:
            break
        at_most = min(steps)
    told = [line for lines in world.said_by_all(json.dumps(heard)) for line in json.loads(lines)]
    for line in dict.fromkeys(told):
        note(line)
    return saved


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

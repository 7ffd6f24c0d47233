"""What each of several processes keeps of its own in a checkpoint: its rows of the buffer, its place in the data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ebmkit.errors import CheckpointError
from ebmkit.processes import World
from ebmkit.runs.checkpoints.checkpoint import Saved

OWN = ("buffer", "position")
"""Names of what each process has its own of; all else is the same in all of them."""


def name_of(name: str, rank: int) -> str:
    """Returns the file of a process: "buffer" of rank 0, "buffer.rank-1" of the next."""
    return name if rank == 0 else f"{name}.rank-{rank}"


def share_of(saved: Saved, world: World) -> Mapping[str, Mapping[str, Tensor]]:
    """Returns what this process writes, where it is not the first: what is its own, under its own names."""
    return {name_of(name, world.rank): saved.tensors[name] for name in OWN if name in saved.tensors}


def n_processes(names: Collection[str]) -> int:
    """Returns how many processes wrote a checkpoint with files of these names; 0 where none has anything of its own.

    >>> n_processes(["energy", "buffer", "buffer.rank-1"]), n_processes(["energy"])
    (2, 0)
    """
    return max((sum(name.partition(".rank-")[0] == kind for name in names) for kind in OWN), default=0)


def is_wanted(name: str, names: Collection[str], world: World) -> bool:
    """Whether a process that goes on needs a file of a checkpoint: of what each has its own of, its own.

    Where another number of processes wrote it, the shares of all are needed, to be shared anew.
    """
    kind = name.partition(".rank-")[0]
    return kind not in OWN or n_processes(names) != world.size or name == name_of(kind, world.rank)


def own_of(saved: Saved, world: World, note: Callable[[str], None]) -> Saved:
    """Returns a checkpoint of any number of processes as this one takes it.

    Where another number wrote it, the rows of all buffers are joined in the order of ranks and shared anew; this is
    told, since the run is then another one than it would have been.

    Raises:
        CheckpointError: the rows cannot be shared evenly.
    """
    rest = {name: own for name, own in saved.tensors.items() if name.partition(".rank-")[0] not in OWN}
    n_before = n_processes(saved.names or saved.tensors) or world.size
    if n_before == world.size:
        own = {name: saved.tensors[file] for name in OWN if (file := name_of(name, world.rank)) in saved.tensors}
        return replace(saved, tensors={**rest, **own})
    shares = {name: _shares(saved, name) for name in OWN if name in saved.tensors}
    note(
        f"The checkpoint of step {saved.step} was written by {n_before} processes, and {world.size} go on: the chains "
        "are shared anew, so from here on the run is another one than it would have been."
    )
    kept = {name: shared_anew(found, world) for name, found in shares.items() if name == "buffer"}
    return replace(saved, tensors={**rest, **kept})


def shared_anew(states: Sequence[Mapping[str, Tensor]], world: World) -> dict[str, Tensor]:
    """Returns one process's part of several buffers joined: of rows an equal share, of counts the mean.

    Args:
        states: of each buffer, tensors with a row for each chain, and counts [].
        world: the processes that share them.

    Raises:
        CheckpointError: the rows cannot be shared evenly.
    """
    found: dict[str, Tensor] = {}
    for name, first in states[0].items():
        each = [state[name] for state in states]
        if not first.ndim:
            found[name] = torch.stack(each).sum() // world.size if not first.is_floating_point() else first
            continue
        rows = torch.cat(each)
        if len(rows) % world.size:
            raise CheckpointError(
                f"The {len(rows)} rows of the buffer cannot be shared by {world.size} processes: take a number of "
                "processes that divides them."
            )
        n = len(rows) // world.size
        found[name] = rows[world.rank * n : (world.rank + 1) * n].clone()
    return found


def _shares(saved: Saved, name: str) -> list[Mapping[str, Tensor]]:
    """Returns what each process wrote, in the order of ranks."""
    found = [saved.tensors[name]]
    while (another := name_of(name, len(found))) in saved.tensors:
        found.append(saved.tensors[another])
    return found

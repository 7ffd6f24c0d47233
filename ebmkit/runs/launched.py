"""The processes that `torchrun` started: how they find each other, and which of them says what went wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from ebmkit.errors import RunError
from ebmkit.processes import ALONE, World

PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: rank 0 may evaluate meanwhile."""

_store: Any = None  # where the processes of this run leave each other word; None outside `launched`


@contextmanager
def launched() -> Iterator[World]:
    """Within it, the processes that were started together know each other; one that was started alone is `ALONE`.

    A process group that a program made itself is taken as it is, and left.

    Raises:
        RunError: the processes cannot find each other, or there are more on a machine than GPUs.
    """
    if dist.is_available() and dist.is_initialized():
        yield World(rank=dist.get_rank(), size=dist.get_world_size())
        return
    if n_launched() == 1:
        yield ALONE
        return
    global _store
    world, _store = _met()
    try:
        yield world
    finally:
        with suppress(RuntimeError, ValueError):  # the others may be gone
            dist.destroy_process_group()


def n_launched() -> int:
    """Returns how many processes `torchrun` started, from its variable WORLD_SIZE; 1 outside of it."""
    size = os.environ.get("WORLD_SIZE", "1")
    return int(size) if size.isdecimal() and int(size) else 1


def is_follower() -> bool:
    """Whether this process was started with others and is not the first, so that it says and writes nothing."""
    return n_launched() > 1 and os.environ.get("RANK", "0") != "0"


def may_speak() -> bool:
    """Whether this process is the first of all to say why they end; the others end in silence."""
    if n_launched() == 1:
        return True
    if _store is None:
        return not is_follower()
    try:
        return int(_store.add("ebmkit/said", 1)) == 1
    except RuntimeError:  # whoever kept the store is gone
        return not is_follower()


def is_word_of_another(error: BaseException) -> bool:
    """Whether an error says only that another process is gone."""
    return isinstance(error, dist.DistBackendError | dist.DistNetworkError) or (
        n_launched() > 1 and isinstance(error, RuntimeError) and any(word in str(error) for word in GONE)
    )


GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out waiting", "Socket closed")
"""What the exchange says where a process has ended."""


def _met() -> tuple[World, Any]:
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise RunError(
                f"{os.environ.get('LOCAL_WORLD_SIZE', n_launched())} processes were started on a machine with "
                f"{torch.cuda.device_count()} GPUs: set torchrun's --nproc-per-node to at most that."
            )
        torch.cuda.set_device(local)
    try:
        store, rank, size = next(rendezvous("env://", timeout=PATIENCE))
        store.set_timeout(PATIENCE)
        backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"{n_launched()} processes were started (WORLD_SIZE), but they do not find each other: "
            f"{str(error).splitlines()[0]} Start them with: torchrun --nproc-per-node N -m ebmkit run …"
        ) from error
    return World(rank=rank, size=size), store

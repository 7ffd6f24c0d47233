"""The processes that `torchrun` started: how they find each other, and which of them says what went wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from ebmkit.display.doing import doing
from ebmkit.display.output import speak
from ebmkit.display.processes import is_follower, let_first_speak, n_launched
from ebmkit.errors import EbmkitError, RunError
from ebmkit.processes import ALONE, World

PATIENCE = timedelta(hours=2)
"""How long processes that train together wait for each other: rank 0 may evaluate meanwhile."""
MEETING = timedelta(minutes=5)
"""How long they look for each other at the start: one that does not come by then was not started."""

_store: Any = None  # where the processes of this run leave each other word; None outside `launched`


class Followed(RunError):
    """Ends a process because the first one ends, too, and says why."""

    def __init__(self, exit_status: int) -> None:
        super().__init__("The run ended in the first process, which says why.")
        self.exit_status = exit_status


@contextmanager
def launched() -> Iterator[World]:
    """Within it, the processes that were started together know each other; one that was started alone is `ALONE`.

    A process group that a program made itself is taken as it is, and left.

    Raises:
        RunError: the processes cannot find each other, or there are more on a machine than GPUs.
    """
    if this_world().size > 1:
        yield this_world()
        return
    if n_launched() == 1:
        yield ALONE
        return
    global _store
    world, _store = _met()
    yield world
    with suppress(RuntimeError, ValueError):  # left alone after a failure: the others may be gone
        dist.destroy_process_group()


def end_if_met(status: int) -> None:
    """Ends this process at once if it failed, or was stopped, while it was one of several.

    Their exchange is then still open, and its threads may abort a Python that ends in the usual order.
    """
    if _store is None or this_world() is ALONE:
        return
    with suppress(OSError):  # nobody reads on
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def restarted() -> bool:
    """Whether `torchrun` starts this process again, after one of them had failed."""
    return _attempt() != "0"


def _attempt() -> str:
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")


def this_world() -> World:
    """Returns the processes that this one trains with, within `launched`."""
    if dist.is_available() and dist.is_initialized():
        return World(rank=dist.get_rank(), size=dist.get_world_size())
    return ALONE


def explained(error: Exception) -> Exception | None:
    """Returns what this one of several processes is to say of an error that ends it; None where another says it.

    The first to fail speaks, whichever it is: what the others see is that it is gone.
    """
    if isinstance(error, Followed) or not _may_speak(error):
        return None
    speak()
    if not _is_of_another(error):
        return error if not is_follower() else _named(error)
    return RunError(
        "Another process of this run ended without a word: it was killed, or ran out of memory. All of them end. "
        "`ebmkit resume DIR`, started as this run was, goes on from the newest checkpoint."
    )


def _named(error: Exception) -> Exception:
    if isinstance(error, EbmkitError):
        error.args = (f"Process {os.environ.get('RANK')} of {n_launched()}: {error}", *error.args[1:])
    return error


def _may_speak(error: Exception) -> bool:
    """Whether this process is the first of all to say why they end."""
    if _store is None:  # they have not met
        let_first_speak()
        return True
    try:
        return int(_store.add("said", 1)) == 1
    except RuntimeError:  # the first process kept the store, and is gone: the next one speaks of that
        return os.environ.get("RANK") == "1" and _is_of_another(error)


def _is_of_another(error: BaseException) -> bool:
    """Whether an error says only that another process is gone."""
    return isinstance(error, RuntimeError) and any(word in str(error) for word in GONE)


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
        doing(f"waiting for all {n_launched()} processes")
        kept, rank, size = next(rendezvous("env://", timeout=MEETING))
        store = PrefixStore(f"ebmkit/{_attempt()}", kept)  # that of torchrun still holds what the dead had said
        store.set(f"here/{rank}", "")
        store.wait([f"here/{each}" for each in range(size)], MEETING)
        store.set_timeout(PATIENCE)
        backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"{n_launched()} processes were to start (WORLD_SIZE), but they do not find each other: "
            f"{str(error).splitlines()[0].rstrip('.')}. Start them with: torchrun --nproc-per-node N -m ebmkit run …; "
            "for a run in one process, unset WORLD_SIZE."
        ) from error
    return World(rank=rank, size=size), store

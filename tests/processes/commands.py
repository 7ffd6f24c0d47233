"""Runs a command of ebmkit in several processes that know each other, as `torchrun` does; forked, thus cheap."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.figure  # noqa: F401  the last step draws; imported here once for all
import torch

from ebmkit.cli.main import main

PATIENCE = 60.0
"""Seconds after which a process that did not end is killed, and the test fails."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What came of a process.

    Attributes:
        status: of its exit, the negative number of the signal that ended it.
        said: what it wrote to stdout and stderr.
    """

    status: int
    said: str


class Job:
    """Processes that were started together.

    Args:
        command: of ebmkit, as words.
        folder: for what they say.
        size: how many there are.
        before: is called with its rank in each of them first.
        present: ranks that are really started; the others never come.
    """

    def __init__(
        self,
        command: Sequence[object],
        folder: Path,
        *,
        size: int = 2,
        before: Callable[[int], None] = lambda rank: None,
        present: Sequence[int] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        torch.optim.SGD([torch.zeros(1)])  # with the first one, torch imports its compiler: here, once for all
        words = [str(word) for word in command]
        self.files = [folder / f"{port}-{rank}.txt" for rank in present or range(size)]
        self.pids = [
            _forked(words, {"RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}, before, file)
            for rank, file in zip(present or range(size), self.files, strict=True)
        ]

    def send(self, number: int, *ranks: int) -> None:
        """Sends a signal to some of them."""
        for rank in ranks:
            os.kill(self.pids[rank], number)

    def ended(self) -> list[Ended]:
        """Waits for all of them and returns what came of each, in the order of ranks."""
        until, statuses = time.monotonic() + PATIENCE, dict[int, int]()
        while len(statuses) < len(self.pids):
            for pid in set(self.pids) - statuses.keys():
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    statuses[pid] = os.waitstatus_to_exitcode(status)
                elif time.monotonic() > until:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        said = [file.read_text(errors="replace") for file in self.files]
        return [Ended(status=statuses[pid], said=text) for pid, text in zip(self.pids, said, strict=True)]


def _forked(words: list[str], launched: dict[str, int], before: Callable[[int], None], file: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        torch.set_num_threads(1)
        own = {"LOCAL_RANK": launched["RANK"], "LOCAL_WORLD_SIZE": launched["WORLD_SIZE"], **launched}
        os.environ.update({name: str(value) for name, value in own.items()}, MASTER_ADDR="127.0.0.1")
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o644)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        before(launched["RANK"])
        status = main(words)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    finally:
        os._exit(70)


def free_port() -> int:
    """Returns a port that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port

"""Whose a lock is, as its file says, and the signs of life that an owner gives."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

BEAT, DEAD = 20.0, 120.0
"""Seconds between signs of life, and without one after which an owner on another machine may be dead."""
WATCH = 3 * BEAT
"""Seconds for which such a one is watched before it counts as dead: clocks may have been set anew."""
ATTEMPTS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Who holds a lock.

    Attributes:
        pid: of the process.
        host: name of the machine.
        boot: what tells this start of the machine from others, "" where that is not known.
        since: when it was taken, UTC.
    """

    pid: int
    host: str
    boot: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"

    @property
    def is_here(self) -> bool:
        """Whether its machine is this one, since the same start."""
        return (self.host, self.boot) == (socket.gethostname(), _boot())

    @property
    def is_running(self) -> bool:
        """Whether its machine is this one, and the process is there, stopped or not."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:  # it is another user's
            return self.is_here
        return self.is_here


def write_owner(descriptor: int) -> None:
    """Writes this process into the file of a lock."""
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    owner = Owner(pid=os.getpid(), host=socket.gethostname(), boot=_boot(), since=since)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(asdict(owner)).encode(), 0)
    os.fsync(descriptor)


def read_owner(descriptor: int) -> Owner | None:
    """Returns who the file of a lock says it is; None where it says nothing."""
    for _ in range(ATTEMPTS):
        with suppress(OSError, ValueError, TypeError):
            return Owner(**json.loads(os.pread(descriptor, 4096, 0)))
        time.sleep(0.01)  # its owner may be about to write it
    return None


def silence(directory: Path, descriptor: int) -> float:
    """Returns the seconds since the last sign of life by the clock of the file system; below 0 if that was set back."""
    return _now(directory) - os.fstat(descriptor).st_mtime


def shows_life(path: Path, seconds: float) -> bool:
    """Watches the file of a lock; returns whether a sign of life comes, whatever the clocks say."""
    before, until = _marked(path), time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(min(1.0, seconds / 10))
        if _marked(path) != before:
            return True
    return False


def beat(descriptor: int, over: threading.Event) -> None:
    """Gives a sign of life every so many seconds."""
    while not over.wait(BEAT):
        with suppress(OSError):
            os.utime(descriptor)


def _marked(path: Path) -> tuple[int, int] | None:
    try:
        with path.open("rb") as file:  # opened anew, a network file system asks its server
            about = os.fstat(file.fileno())
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns


def _now(directory: Path) -> float:
    """Returns the time as the file system has it, whose clock may be another machine's."""
    path = directory / f".lock-{os.getpid()}-{threading.get_ident()}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            return os.fstat(descriptor).st_mtime
        finally:
            os.close(descriptor)
            path.unlink()
    except OSError:
        return time.time()


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""

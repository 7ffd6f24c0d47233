"""One writer a run directory: a file that says whose it is, and that outlives nobody."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ebmkit.errors import RunError

try:
    import fcntl
except ImportError:  # no Unix: a lock is still made by one alone, and never taken over
    fcntl = None  # type: ignore[assignment]

FILE = ".lock"
BEAT, DEAD = 20.0, 120.0
"""Seconds between signs of life, and without one after which an owner on another machine counts as dead."""
FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
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


class Lock:
    """A lock that this process holds."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self.descriptor = path, descriptor

    def is_held(self) -> bool:
        """Whether the file at its place is still ours: not if the run directory was removed, renamed or replaced."""
        return _is_at(self.descriptor, self.path)


@contextmanager
def locked(directory: Path, note: Callable[[str], None]) -> Iterator[Lock]:
    """Within it, this process alone writes to a run directory, which is made where it is missing.

    A lock that a dead process left is taken over, and that is told. On one machine, and on network file systems that
    pass locks on (NFS from version 4 on), the kernel knows whether an owner lives. Elsewhere an owner on another
    machine counts as dead after `DEAD` seconds without a sign of life; where a file system has no locks at all, a lock
    that was left behind has to be removed by hand.

    Raises:
        RunError: another process writes there, or nothing can be written there.
    """
    empty = not directory.exists() or not any(directory.iterdir())
    try:
        lock, dead = _taken(directory)
    except OSError as error:
        message = f"{directory} could not be written: {error}. Choose another --out, or free some space."
        raise RunError(message) from error
    if dead:
        note(f"{directory} was left by {dead}, which has ended without a word: its lock is taken over.")
    over = threading.Event()
    threading.Thread(target=_beat, args=(lock.descriptor, over), daemon=True, name="lock").start()
    try:
        yield lock
    finally:
        over.set()
        with suppress(OSError):
            if lock.is_held():
                lock.path.unlink()
        os.close(lock.descriptor)
        if empty:
            with suppress(OSError):  # what a run has written stays
                directory.rmdir()


def _taken(directory: Path) -> tuple[Lock, str]:
    """Returns the lock, and whose it was where that process is dead."""
    path = directory / FILE
    for _ in range(ATTEMPTS):
        directory.mkdir(parents=True, exist_ok=True)
        descriptor, is_new = _opened(path)
        if descriptor is None:
            continue
        keep = False
        try:
            alone = _alone(descriptor)
            if not _is_at(descriptor, path):  # it was released just now
                continue
            before = "" if is_new and alone is not False else _dead(directory, descriptor, alone)
            _write(descriptor)
            keep = True
            return Lock(path, descriptor), before
        finally:
            if not keep:
                os.close(descriptor)
    raise RunError(f"{path} changes all the time: other processes want {directory}, too. Choose another --out.")


def _opened(path: Path) -> tuple[int | None, bool]:
    """Opens the file of a lock and says whether it is new; None where it, or its folder, went away meanwhile."""
    try:
        return os.open(path, FLAGS | os.O_CREAT | os.O_EXCL, 0o644), True
    except FileNotFoundError:
        return None, False
    except FileExistsError:
        pass
    try:
        descriptor = os.open(path, FLAGS)
    except FileNotFoundError:
        return None, False
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise RunError(f"{path} is a link, which ebmkit does not make: remove it.") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        raise RunError(f"{path} is no file of its own, which ebmkit would make: remove it.")
    return descriptor, False


def _alone(descriptor: int) -> bool | None:
    """Asks the kernel for the lock: True if it is ours, False if another process has it, None if there are none."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _dead(directory: Path, descriptor: int, alone: bool | None) -> str:
    """Returns who left a lock; raises RunError where that process may be alive."""
    owner = _read(descriptor)
    who = "another process" if owner is None else str(owner)
    other = "Wait for it, or choose another --out; sample, eval and report work meanwhile."
    if alone is False:
        raise RunError(f"{directory} is being written by {who}. {other}")
    path = directory / FILE
    if alone is None:
        raise RunError(
            f"{directory} is being written by {who}, or was left by it: its file system has no locks, so that cannot "
            f"be told. {other} If that process is dead, remove {path}."
        )
    silent = _now(directory) - os.fstat(descriptor).st_mtime
    if owner is not None and not owner.is_here and silent < DEAD:
        raise RunError(
            f"{directory} is being written by {who}; it gave its last sign of life {max(silent, 0):.0f} s ago, and "
            f"counts as dead after {DEAD:.0f} s. {other} If you know that it is dead, remove {path}."
        )
    return who


def _write(descriptor: int) -> None:
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    owner = Owner(pid=os.getpid(), host=socket.gethostname(), boot=_boot(), since=since)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(asdict(owner)).encode(), 0)
    os.fsync(descriptor)


def _read(descriptor: int) -> Owner | None:
    for _ in range(ATTEMPTS):
        with suppress(OSError, ValueError, TypeError):
            return Owner(**json.loads(os.pread(descriptor, 4096, 0)))
        time.sleep(0.01)  # its owner may be about to write it
    return None


def _now(directory: Path) -> float:
    """Returns the time as the file system has it, whose clock may be another machine's."""
    path = directory / f"{FILE}-{os.getpid()}-{threading.get_ident()}"
    try:
        descriptor = os.open(path, FLAGS | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            return os.fstat(descriptor).st_mtime
        finally:
            os.close(descriptor)
            path.unlink()
    except OSError:
        return time.time()


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        ours, there = os.fstat(descriptor), path.lstat()
    except OSError:
        return False
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _beat(descriptor: int, over: threading.Event) -> None:
    """Gives a sign of life every so many seconds."""
    while not over.wait(BEAT):
        with suppress(OSError):
            os.utime(descriptor)

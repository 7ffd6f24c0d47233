"""One writer a run directory: a file that says whose it is, and that outlives nobody."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ebmkit.errors import RunError
from ebmkit.runs.files.owner import ATTEMPTS, DEAD, WATCH, beat, read_owner, shows_life, silence, write_owner

try:
    import fcntl
except ImportError:  # no Unix: a lock is still made by one alone, and never taken over
    fcntl = None  # type: ignore[assignment]

FILE = ".lock"
FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


class Lock:
    """A lock that this process holds."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self.descriptor = path, descriptor

    def is_held(self) -> bool:
        """Whether the file at its place is still ours: not if the run directory was removed, renamed or replaced.

        Nor in a fork of the process that took it.
        """
        return _is_at(self.descriptor, self.path)

    def lost(self) -> str:
        """Returns what became of a lock that is not held any more."""
        if self.path.exists():
            return "another process has taken its lock, or it was replaced"
        return (
            f"its lock {self.path} was removed"
            if (self.path.parent / "recipe.toml").exists()
            else ("it was removed, renamed or replaced")
        )


_held: set[Lock] = set()
_is_watching_forks: list[bool] = []


@contextmanager
def locked(directory: Path, note: Callable[[str], None]) -> Iterator[Lock]:
    """Within it, this process alone writes to a run directory, which is made where it is missing.

    A lock that a dead process left is taken over, and that is told. On one machine, and on network file systems that
    pass locks on (NFS from version 4 on), the kernel knows whether an owner lives. Elsewhere an owner on another
    machine counts as dead after `DEAD` seconds without a sign of life and `WATCH` more in which it is watched; where a
    file system has no locks at all, a lock that was left behind has to be removed by hand.

    A fork of this process does not hold the lock, and keeps nobody from taking it when this process has ended.

    Raises:
        RunError: another process writes there, or nothing can be written there.
    """
    empty = not directory.exists() or not any(directory.iterdir())
    try:
        lock, dead = _taken(directory, note)
    except OSError as error:
        message = f"{directory} could not be written: {error}. Choose another --out, or free some space."
        raise RunError(message) from error
    if dead:
        note(f"{directory} was left by {dead}, which has ended without a word: its lock is taken over.")
    over = threading.Event()
    threading.Thread(target=beat, args=(lock.descriptor, over), daemon=True, name="lock").start()
    _watch_forks()
    _held.add(lock)
    try:
        yield lock
    finally:
        over.set()
        _held.discard(lock)
        with suppress(OSError):
            if lock.is_held():
                lock.path.unlink()
        with suppress(OSError):  # a fork has closed it
            os.close(lock.descriptor)
        if empty:
            with suppress(OSError):  # what a run has written stays
                directory.rmdir()


def _watch_forks() -> None:
    """Has forks of this process close its locks, which the kernel shares: a child that outlives it would keep them."""
    if not _is_watching_forks and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_let_go)
        _is_watching_forks.append(True)


def _let_go() -> None:
    for lock in _held:
        with suppress(OSError):
            os.close(lock.descriptor)
        lock.descriptor = -1
    _held.clear()


def _taken(directory: Path, note: Callable[[str], None]) -> tuple[Lock, str]:
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
            if is_new and alone is not False:
                write_owner(descriptor)
                keep = True
                return Lock(path, descriptor), ""
            before = _dead(directory, descriptor, alone, note)
            return Lock(path, _replaced(path)), before
        finally:
            if not keep:
                os.close(descriptor)
    raise RunError(f"{path} changes all the time: other processes want {directory}, too. Choose another --out.")


def _replaced(path: Path) -> int:
    """Puts a new file in place of a dead owner's, so that this one, if it comes back, sees that the lock is lost."""
    fresh = path.with_name(f"{FILE}-{os.getpid()}-{threading.get_ident()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, FLAGS | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        _alone(descriptor)
        write_owner(descriptor)
        fresh.replace(path)
    except BaseException:
        os.close(descriptor)
        fresh.unlink(missing_ok=True)
        raise
    return descriptor


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


def _dead(directory: Path, descriptor: int, alone: bool | None, note: Callable[[str], None]) -> str:
    """Returns who left a lock; raises RunError where that process may be alive."""
    owner = read_owner(descriptor)
    who = "another process" if owner is None else str(owner)
    other = "Wait for it, or choose another --out; sample, eval and report work meanwhile."
    path = directory / FILE
    if alone is False:
        if owner is not None and owner.is_here and not owner.is_running:
            other = "That one has ended; one that it started holds the lock still: end it, or wait for it."
        raise RunError(f"{directory} is being written by {who}. {other}")
    if alone is None:
        raise RunError(
            f"{directory} is being written by {who}, or was left by it: its file system has no locks, so that cannot "
            f"be told. {other} If that process is dead, remove {path}."
        )
    if owner is None or owner.is_here:
        return who
    silent = silence(directory, descriptor)
    if not 0 <= silent < DEAD:
        note(f"{directory} seems to be left by {who}: its lock is watched for {WATCH:.0f} s.")
        if not shows_life(path, WATCH):
            return who
        silent = 0
    raise RunError(
        f"{directory} is being written by {who}; it gave its last sign of life {silent:.0f} s ago, and "
        f"counts as dead after {DEAD:.0f} s. {other} If you know that it is dead, remove {path}."
    )


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        ours, there = os.fstat(descriptor), path.lstat()
    except OSError:
        return False
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)

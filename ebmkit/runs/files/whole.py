"""Files and folders that are whole or not there, also after a power cut."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ebmkit.plain_files import remove


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Hands out a place beside `path` for a file or a folder, and renames it into place if all went well.

    The place has the suffix of `path`. What was written is on the disk before it gets its name, and the name before
    this ends. After a failure, or where nothing was written, the place is empty again, and `path` is as before. A
    folder is only replaced by a folder.
    A link is replaced, and what it points to is left alone.

    Raises:
        FileExistsError: what an earlier process left at that place cannot be removed.
        IsADirectoryError: a file was to take the place of a folder.
    """
    fresh, old = aside(path), path.with_name(f".writing-old-{path.name}")
    for left in (fresh, old):
        _remove(left)
        if os.path.lexists(left):
            raise FileExistsError(errno.EEXIST, "it is in the way and cannot be removed", str(left))
    try:
        yield fresh
        if not fresh.exists():
            return
        sync(fresh)
        if path.is_dir() and not path.is_symlink() and fresh.is_dir():
            path.replace(old)
        fresh.replace(path)
        sync_folder(path.parent)
    finally:
        for left in (fresh, old):
            _remove(left)


def aside(path: Path) -> Path:
    """Returns the place beside `path` at which it is written."""
    return path.with_name(f".writing-{path.name}")


def sync(path: Path) -> None:
    """Has the disk hold a file, or a folder with all that is in it; raises OSError where it cannot."""
    if path.is_dir():
        for inner in path.iterdir():
            sync(inner)
        sync_folder(path)
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Has the disk hold the names in a folder, where its file system can be asked for that."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    with suppress(OSError):  # where it could not be made, it cannot always be removed
        remove(path)

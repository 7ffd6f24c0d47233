"""Files and folders that are whole or not there."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ebmkit.plain_files import remove


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Hands out a place beside `path` for a file or a folder, and renames it into place if all went well.

    The place has the suffix of `path`. After a failure it is empty again, and `path` is as before. A folder is only
    replaced by a folder. A link is replaced, and what it points to is left alone.

    Raises:
        FileExistsError: what an earlier process left at that place cannot be removed.
        IsADirectoryError: a file was to take the place of a folder.
    """
    fresh = path.with_name(f".writing-{path.name}")
    _remove(fresh)
    if os.path.lexists(fresh):
        raise FileExistsError(errno.EEXIST, "it is in the way and cannot be removed", str(fresh))
    try:
        yield fresh
        if path.is_dir() and not path.is_symlink() and fresh.is_dir():
            shutil.rmtree(path)
        fresh.replace(path)
    finally:
        _remove(fresh)


def _remove(path: Path) -> None:
    with suppress(OSError):  # where it could not be made, it cannot always be removed
        remove(path)

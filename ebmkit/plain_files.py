"""Files in a folder that a stranger may have made: no link is followed there, and no device or FIFO is opened.

The folder itself may be reached by a link: its owner named it. What lies in it may not be one. Failures are `OSError`s.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ebmkit.errors import CheckpointError

MOST_TEXT = 16 * 2**20
"""Bytes of a text that is read whole. As JSON it takes up to twenty times as many in memory."""

NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
"""A link is an error, and a FIFO does not wait for its other end."""


def opened(path: Path) -> IO[bytes]:
    """Returns a plain file open for reading; raises OSError where it is a link, a folder, a device or a FIFO."""
    return os.fdopen(_descriptor(path, os.O_RDONLY), "rb")


def opened_new(path: Path) -> IO[bytes]:
    """Returns a new file open for writing; raises FileExistsError where anything, a link included, has its name."""
    return os.fdopen(_descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb")


def opened_to_append(path: Path) -> IO[bytes]:
    """Returns a plain file open for writing at its end, made where there is none.

    Raises:
        OSError: it is a link, a folder, a device or a FIFO, or has a second name elsewhere.
    """
    descriptor = _descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    if os.fstat(descriptor).st_nlink > 1:
        os.close(descriptor)
        raise OSError(errno.EMLINK, "the file has a second name elsewhere, and is not written to", str(path))
    return os.fdopen(descriptor, "ab")


def read_bytes(path: Path, most: int = MOST_TEXT) -> bytes:
    """Returns what a plain file holds; raises OSError where it is none, or holds more bytes than may be."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"the file holds {size:,} bytes, and at most {most:,} are read", str(path))
        return file.read(most)


def read_text(path: Path, most: int = MOST_TEXT, errors: str = "strict") -> str:
    """Returns the UTF-8 text of a plain file; see `read_bytes`. Raises UnicodeDecodeError where it is none."""
    return read_bytes(path, most).decode("utf-8", errors).replace("\r\n", "\n")


def read_lines(path: Path, longest: int = 2**20) -> Iterator[str]:
    """Yields the lines of a plain text of any length, without holding it; longer lines come in pieces."""
    with opened(path) as file:
        while line := file.readline(longest):
            yield line.decode("utf-8", "replace").rstrip("\r\n")


def read_json(path: Path, most: int = MOST_TEXT) -> Any:
    """Returns the JSON value of a plain file; raises OSError or ValueError, also where it is nested too deep."""
    return json_value(read_text(path, most))


def json_value(text: str) -> Any:
    """Returns the value of a JSON text; raises ValueError where it is none, or nested too deep."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def write_new(path: Path, text: str) -> None:
    """Writes a new file; raises FileExistsError where anything has its name."""
    with opened_new(path) as file:
        file.write(text.encode("utf-8"))


def remove(path: Path) -> None:
    """Removes a file, a link (never what it points to) or a folder with what is in it, where there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)  # which follows no link either
    else:
        path.unlink(missing_ok=True)


def check_plain(directory: Path, names: Iterable[str]) -> None:
    """Raises CheckpointError where one of these names, or anything below it, is no plain file or folder.

    Args:
        directory: of the run; it may itself be a link.
        names: of what is to be read or written in it.
    """
    for name in names:
        for path, mode in _entries(directory / name):
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise CheckpointError(
                    f"{directory} holds {_kind(path, mode)} where a run has files and folders of its own: "
                    f"{path.relative_to(directory)}. Nothing was read or written through it. Remove it if you trust "
                    "the rest, or put the file itself in its place."
                )


def _entries(path: Path) -> Iterator[tuple[Path, int]]:
    """Yields a path and everything below it, with its mode; links are not followed."""
    left = [path]
    while left:
        found = left.pop()
        try:
            mode = found.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        yield found, mode
        if stat.S_ISDIR(mode):
            with suppress(FileNotFoundError):  # a run that goes on renames its checkpoints into place
                left.extend(found.iterdir())


def _kind(path: Path, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return f"a link to {path.readlink()}"
    return "a FIFO" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"


def _descriptor(path: Path, flags: int) -> int:
    """Opens a plain file without following a link at its end."""
    if os.path.lexists(path):
        _check(path, path.lstat().st_mode)  # before it is opened: to open a device may already do something
    descriptor = os.open(path, flags | NO_LINK, 0o666)
    try:
        _check(path, os.fstat(descriptor).st_mode)  # and after, of what was opened
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else _kind(path, mode)
        raise OSError(errno.EINVAL, f"it is {what}, and no plain file", str(path))

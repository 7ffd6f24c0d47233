"""Files of one JSON object a line, which only grow: what a run wrote until a checkpoint can be told from damage."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ebmkit.errors import RunError
from ebmkit.plain_files import json_value, opened, opened_new, opened_to_append, remove
from ebmkit.plain_files import read_lines as lines_of
from ebmkit.runs.checkpoints.later import ASIDE
from ebmkit.runs.files.directory import write_text
from ebmkit.runs.files.seal import Seal
from ebmkit.runs.files.whole import written_whole

Note = Callable[[str], None]
MOST = 2**26
"""Bytes of a log that are held in memory; parsed, they may take twenty times as many."""


class Lines:
    """Appends objects to a file, which is made with the first, and knows the seal of all that it holds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self._sha256, self._size = hashlib.sha256(), 0

    def cut(self, after: int, sealed: Seal | None, note: Note) -> None:
        """Drops what was written after a checkpoint; what is damaged of the rest is told and kept aside.

        Args:
            after: step of the checkpoint.
            sealed: what the file was then; None where no checkpoint says so.
            note: is told of damage.

        Raises:
            RunError: the disk refuses.
        """
        self.close()
        try:
            if sealed is not None and _digest(self.path, sealed.size)[0].hexdigest() == sealed.sha256:
                if self.path.exists():
                    _shorten(self.path, sealed.size)
            else:
                if sealed is not None:
                    note(f"Warning: {self._set_aside(after)}")
                keep_until(self.path, after)
            self._sha256, self._size = _digest(self.path)
        except OSError as error:
            raise RunError(f"{self.path} could not be written: {error}. Free some space and resume.") from error

    def append(self, entry: Mapping[str, object]) -> None:
        """Writes one line; raises RunError where the disk refuses."""
        line = (json.dumps(entry) + "\n").encode()
        try:
            if self._file is None:
                self._file = opened_to_append(self.path)
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise RunError(f"{self.path} could not be written: {error}. Free some space and resume.") from error
        self._sha256.update(line)
        self._size += len(line)

    def seal(self) -> Seal:
        """Returns what the file is now, once the disk holds it; raises RunError where it does not."""
        if self._file is not None:
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                raise RunError(f"{self.path} could not be written: {error}. Free some space and resume.") from error
        return Seal(self._size, self._sha256.hexdigest())

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            with suppress(OSError):  # each line was flushed, or its failure told
                self._file.close()
            self._file = None

    def _set_aside(self, after: int) -> str:
        if not self.path.exists():
            return f"{self.path} is gone, with what it held until step {after}. The run goes on without that."
        aside = self.path.with_name(f"{ASIDE}{self.path.name}")
        remove(aside)  # it may be a link, to anything
        with opened(self.path) as damaged, opened_new(aside) as kept:
            shutil.copyfileobj(damaged, kept)
        return (
            f"{self.path} is damaged: it is not what was written until step {after}. Lines of it that can be read are "
            f"kept; the file as it was is {aside}."
        )


def _shorten(path: Path, size: int) -> None:
    """Cuts a file; one with a second name, as in a backup by hard links, is left alone and replaced by a new one."""
    if path.stat().st_nlink == 1:
        os.truncate(path, size)
        return
    with opened(path) as file, written_whole(path) as fresh, opened_new(fresh) as kept:
        kept.write(file.read(size))


def _digest(path: Path, most: float = float("inf")) -> tuple[Any, int]:
    """Returns the SHA-256 of the first bytes of a file, and how many there are; a file that is not there has none."""
    sha256, size = hashlib.sha256(), 0
    if path.exists():
        with opened(path) as file:
            while block := file.read(int(min(2**20, most - size))):
                sha256.update(block)
                size += len(block)
    return sha256, size


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Returns what a file of one object a line says of each step; a line that is none is left out.

    Of a file of n times `MOST` bytes, it is every n-th line.
    """
    every = 1 + (path.stat().st_size // MOST if path.exists() else 0)
    return [entry for i, (_, entry) in enumerate(_logged(path)) if i % every == 0]


def keep_until(path: Path, step: int) -> None:
    """Drops what a file of one object a line says of later steps, and lines that are none."""
    if path.exists():
        write_text(path, "".join(line + "\n" for line, entry in _logged(path) if entry["step"] <= step))


def _logged(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields every line that is a logged step, and what it holds."""
    for line in lines_of(path) if path.exists() else ():
        with suppress(ValueError):
            entry = json_value(line)
            if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                yield line, entry

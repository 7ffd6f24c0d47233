"""Files of one JSON object a line, which only grow: what a run wrote until a checkpoint can be told from damage."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from ebmkit.errors import RunError
from ebmkit.runs.checkpoint import ASIDE
from ebmkit.runs.directory import write_text
from ebmkit.runs.seal import Seal

Note = Callable[[str], None]
FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Lines:
    """Appends objects to a file, which is made with the first, and knows the seal of all that it holds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None
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
        held = self.path.read_bytes() if self.path.is_file() else b""
        if sealed is not None and _starts(held, sealed):
            if len(held) > sealed.size:
                os.truncate(self.path, sealed.size)
        else:
            if sealed is not None:
                note(f"Warning: {self._set_aside(after)}")
            keep_until(self.path, after)
        kept = self.path.read_bytes() if self.path.is_file() else b""
        self._sha256, self._size = hashlib.sha256(kept), len(kept)

    def append(self, entry: Mapping[str, object]) -> None:
        """Writes one line; raises RunError where the disk refuses."""
        line = json.dumps(entry) + "\n"
        try:
            if self._file is None:
                self._file = os.fdopen(os.open(self.path, FLAGS, 0o644), "a", encoding="utf-8")
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise RunError(f"{self.path} could not be written: {error}. Free some space and resume.") from error
        self._sha256.update(line.encode())
        self._size += len(line.encode())

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
        shutil.copyfile(self.path, aside)
        return (
            f"{self.path} is damaged: it is not what was written until step {after}. Lines of it that can be read are "
            f"kept; the file as it was is {aside}."
        )


def _starts(held: bytes, sealed: Seal) -> bool:
    return len(held) >= sealed.size and hashlib.sha256(held[: sealed.size]).hexdigest() == sealed.sha256


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Returns what a file of one object a line says of each step; a line that is none is left out."""
    return [entry for _, entry in _logged(path)]


def keep_until(path: Path, step: int) -> None:
    """Drops what a file of one object a line says of later steps, and lines that are none."""
    if path.exists():
        write_text(path, "".join(line + "\n" for line, entry in _logged(path) if entry["step"] <= step))


def _logged(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields every line that is a logged step, and what it holds."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        with suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                yield line, entry

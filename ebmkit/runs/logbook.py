"""What a run writes down while it goes: `metrics.jsonl`, TensorBoard, `environment.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ebmkit.errors import RunError
from ebmkit.plain_files import json_value, opened_to_append
from ebmkit.plain_files import read_lines as lines_of
from ebmkit.runs.directory import write_text

MOST = 2**26
"""Bytes of a log that are held in memory; parsed, they may take twenty times as many."""


class Logbook:
    """Appends one object a logged step, `step` first; on resuming, lines after the checkpoint are dropped.

    Lines that are no logged step are dropped with them, such as the half line of a process that was killed.
    """

    def __init__(self, directory: Path, *, tensorboard: bool, after: int = 0) -> None:
        self.path = directory / "metrics.jsonl"
        keep_until(self.path, after)
        self._file: IO[bytes] = opened_to_append(self.path)
        self._board: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(directory / "tensorboard"), purge_step=after + 1 if after else None)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes one logged step; raises RunError where the disk refuses."""
        try:
            self._file.write((json.dumps({"step": step, **values}) + "\n").encode("utf-8"))
            self._file.flush()
        except OSError as error:
            raise RunError(f"{self.path} could not be written: {error}. Free some space and resume.") from error
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Closes the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def read_metrics(directory: Path) -> list[dict[str, Any]]:
    """Returns the logged steps of a run; a line that is none is left out."""
    return read_lines(directory / "metrics.jsonl")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Returns what a file of one object a line says of each step; a line that is none is left out.

    Of a file of n times `MOST` bytes, it is every n-th line.
    """
    every = 1 + (path.stat().st_size // MOST if path.exists() else 0)
    return [entry for i, (_, entry) in enumerate(_logged(path)) if i % every == 0]


def keep_until(path: Path, step: int) -> None:
    """Drops what a file of one object a line says of later steps, and lines that are none."""
    if not path.exists():
        return
    write_text(path, "".join(line + "\n" for line, entry in _logged(path) if entry["step"] <= step))


def _logged(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields every line that is a logged step, and what it holds."""
    for line in lines_of(path) if path.exists() else ():
        with suppress(ValueError):
            entry = json_value(line)
            if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                yield line, entry

"""What a run writes down while it goes: `metrics.jsonl`, TensorBoard, `environment.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from ebmkit.errors import RunError
from ebmkit.runs.directory import write_text


class Logbook:
    """Appends one object a logged step, `step` first; on resuming, lines after the checkpoint are dropped.

    Lines that are no logged step are dropped with them, such as the half line of a process that was killed.
    """

    def __init__(self, directory: Path, *, tensorboard: bool, after: int = 0) -> None:
        self.path = directory / "metrics.jsonl"
        keep_until(self.path, after)
        self._file: TextIO = self.path.open("a", encoding="utf-8")
        self._board: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(directory / "tensorboard"), purge_step=after + 1 if after else None)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes one logged step; raises RunError where the disk refuses."""
        try:
            self._file.write(json.dumps({"step": step, **values}) + "\n")
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
    """Returns what a file of one object a line says of each step; a line that is none is left out."""
    return [entry for _, entry in _logged(path)]


def keep_until(path: Path, step: int) -> None:
    """Drops what a file of one object a line says of later steps, and lines that are none."""
    if not path.exists():
        return
    write_text(path, "".join(line + "\n" for line, entry in _logged(path) if entry["step"] <= step))


def _logged(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields every line that is a logged step, and what it holds."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        with suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                yield line, entry

"""What a run writes down while it goes: `metrics.jsonl`, and beside it TensorBoard's file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ebmkit.runs.files.seal import Seal
from ebmkit.runs.log.board import Board
from ebmkit.runs.log.lines import Lines, Note, read_lines

METRICS = "metrics.jsonl"
_log = logging.getLogger(__name__)


class Logbook:
    """Appends one object a logged step, `step` first; on resuming, lines after the checkpoint are dropped.

    Lines that are no logged step are dropped with them, such as the half line of a process that was killed.

    Args:
        directory: of the run.
        tensorboard: write TensorBoard's file, too.
        after: step that the run goes on from.
        sealed: what `metrics.jsonl` was then; None where no checkpoint says so.
        note: is told where it is damaged; unset, that is logged.
    """

    def __init__(
        self,
        directory: Path,
        *,
        tensorboard: bool,
        after: int = 0,
        sealed: Seal | None = None,
        note: Note | None = None,
    ) -> None:
        self.note = note or _log.warning
        self.lines = Lines(directory / METRICS)
        self.lines.cut(after, sealed, self.note)
        self._board = Board(directory / "tensorboard", after) if tensorboard else None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes one logged step; raises RunError where the disk refuses."""
        self.lines.append({"step": step, **values})
        if self._board is not None:
            self._board.write(step, values)

    def back_to(self, step: int, sealed: Seal | None) -> None:
        """Drops what was written after a checkpoint that the run goes back to."""
        self.lines.cut(step, sealed, self.note)
        if self._board is not None:
            self._board.withdraw(step)

    def close(self) -> None:
        """Closes the files."""
        self.lines.close()
        if self._board is not None:
            with suppress(OSError):  # each event was flushed, or its failure told
                self._board.close()


def read_metrics(directory: Path) -> list[dict[str, Any]]:
    """Returns the logged steps of a run; a line that is none is left out."""
    return read_lines(directory / METRICS)

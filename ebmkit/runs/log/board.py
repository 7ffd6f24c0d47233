"""The TensorBoard file of a run, written by the run itself: a full disk is its error, and no thread's traceback."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from ebmkit.errors import RunError


class Board:
    """Writes scalars of logged steps as one more event file.

    Args:
        folder: of the event files.
        after: step that the run goes on from; what other files say of later ones is withdrawn.
    """

    def __init__(self, folder: Path, after: int) -> None:
        self._events: Any = import_module("tensorboard.compat.proto.event_pb2")  # generated code, without types
        self._summaries: Any = import_module("tensorboard.compat.proto.summary_pb2")
        records: Any = import_module("tensorboard.summary.writer.record_writer")
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        paths = (folder / f"{name}.{i}" for i in count())
        try:
            folder.mkdir(exist_ok=True)
            self.path = next(path for path in paths if not path.exists())
            self._file = self.path.open("xb")
        except OSError as error:
            raise RunError(f"{folder} could not be written: {error}. Free some space and resume.") from error
        self._records = records.RecordWriter(self._file)
        self._add(file_version="brain.Event:2")
        if after:
            self.withdraw(after)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes the values of a logged step; raises RunError where the disk refuses."""
        value = self._summaries.Summary.Value
        pairs = [value(tag=name, simple_value=number) for name, number in values.items()]
        self._add(step=step, summary=self._summaries.Summary(value=pairs))

    def withdraw(self, after: int) -> None:
        """Withdraws what was written of steps after this one."""
        log = self._events.SessionLog
        self._add(step=after + 1, session_log=log(status=log.START))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _add(self, **what: Any) -> None:
        try:
            self._records.write(self._events.Event(wall_time=time.time(), **what).SerializeToString())
            self._file.flush()
        except OSError as error:
            raise RunError(f"{self.path} could not be written: {error}. Free some space and resume.") from error

"""The alarms of one run: when they look, who is told, what is written down, and what a broken run says of itself."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path

from torch import Tensor

from ebmkit.assembly.assemble import Assembly
from ebmkit.errors import DivergenceError, RunError
from ebmkit.point import Batch
from ebmkit.runs.logbook import keep_until, read_lines
from ebmkit.training.alarms.alarms import Alarms, Finding
from ebmkit.training.alarms.signals import fingerprint, proposes, read, scalar_signals, step_signals
from ebmkit.training.alarms.table import EVERY
from ebmkit.training.batches import check_finite
from ebmkit.training.step import StepReport

Note = Callable[[str], None]

WATCHED = 12
"""Looks at a new run at which its buffer is looked through; a buffer that has changed counts as watched."""


class RunAlarms:
    """Looks at a run every so many steps; warns, then stops it.

    What it knows is of this call: after a resume it starts anew. It uses no random stream and changes no number.

    Args:
        assembly: that is trained.
        note: is told the warnings; unset, they are logged as "ebmkit.alarms".
        directory: of the run, where `alarms.jsonl` is written at the first finding; None for nowhere.
    """

    def __init__(self, assembly: Assembly, note: Note | None, directory: Path | None) -> None:
        recipe, parts, data = assembly.recipe, assembly.parts, assembly.data
        config = recipe.table("run")
        self.on: bool = config.alarms
        noised = any(coordinate.noises_x for coordinate in parts.coordinates)
        self.alarms = Alarms(temperature=config.temperature or 1.0, n_entries=prod(data.event_shape))
        self.value_range = None if noised or data.x_values != "real" else data.value_range
        self.buffer, self.proposes = parts.buffer, proposes(parts.sampler)
        self.note = note or logging.getLogger("ebmkit.alarms").warning
        self.path = None if directory is None else directory / "alarms.jsonl"
        self.last: tuple[int, Mapping[str, Tensor], Mapping[str, Tensor]] | None = None
        self.rows: tuple[float, ...] = ()
        self.unchanged = 0

    def look(self, report: StepReport) -> Sequence[Finding]:
        """Looks at a step, if it is time; returns what is to be warned of, the gravest first.

        Raises:
            DivergenceError: the run has gone wrong beyond doubt.
        """
        if self.last is None and self.path is not None:
            self._tell_of_stop(self.path)
            keep_until(self.path, report.step - 1)  # what a run that went on from here before has found later
        self.last = report.step, report.losses, report.metrics
        if not self.on or (report.step % EVERY and report.step > 1):
            return ()
        signals = step_signals(report, proposes=self.proposes, value_range=self.value_range)
        found = self.alarms.look(report.step, {**signals, **self._buffer_signals(report.step)})
        for finding in found:
            self._write(finding)
        if found and found[0].kind == "stop":
            raise DivergenceError(f"{found[0].text} The run was stopped; run.alarms=false would let it go on.")
        if found:
            also = ", ".join(finding.alarm.name for finding in found[1:])
            self.note(f"Warning: {found[0].text}{f' Also: {also}.' if also else ''}")
        return found

    def _tell_of_stop(self, path: Path) -> None:
        """Says of a run that goes on that an alarm had stopped it, and that this changes none of its settings."""
        stops = [entry for entry in read_lines(path) if entry.get("kind") == "stop"]
        if stops:
            self.note(
                f"The alarm {stops[-1].get('alarm')} stopped this run at step {stops[-1]['step']}. It goes on with the "
                "settings that it had: what the alarm advised to change wants a new run, with another --out."
            )

    @contextmanager
    def explaining(self, step: int, batch: Batch) -> Iterator[None]:
        """Adds to a DivergenceError of a step what the data and the step before it say."""
        try:
            yield
        except DivergenceError as error:
            check_finite(batch, step)
            found = self._before()
            if found is None:
                raise
            self._write(found)
            raise DivergenceError(f"{error} What came before it: {found.text}") from error

    def _before(self) -> Finding | None:
        if self.last is None or not self.on:
            return None
        step, losses, metrics = self.last
        return self.alarms.worst(step, read(scalar_signals(losses, metrics)))

    def _buffer_signals(self, step: int) -> dict[str, float]:
        """Returns at how many looks the buffer held the rows of the first look, in the first looks at a new run."""
        if self.buffer is None or not len(self.buffer) or self.unchanged >= WATCHED:
            return {}
        rows = fingerprint(self.buffer)
        if step == 1:
            self.rows = rows
            return {}
        self.unchanged = self.unchanged + 1 if self.rows and rows == self.rows else WATCHED
        return {"buffer_unchanged": float(self.unchanged)} if self.unchanged < WATCHED else {}

    def _write(self, finding: Finding) -> None:
        if self.path is None:
            return
        line = {
            "step": finding.step, "alarm": finding.alarm.name, "kind": finding.kind, "value": finding.value,
            "signals": dict(finding.signals),
        }  # fmt: skip
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise RunError(f"{self.path} could not be written: {error}. Free some space and resume.") from error

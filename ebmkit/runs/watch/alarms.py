"""The alarms of one run: when they look, who is told, what is written down, and what a broken run says of itself."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

from torch import Tensor

from ebmkit.assembly.assemble import Assembly
from ebmkit.errors import CheckpointError, DivergenceError
from ebmkit.point import Batch
from ebmkit.recipes.stage import begins_after
from ebmkit.runs.files.seal import Seal
from ebmkit.runs.log.lines import Lines, read_lines
from ebmkit.runs.watch.rollback import Rollbacks
from ebmkit.training.alarms.alarms import Alarms, Finding
from ebmkit.training.alarms.signals import fingerprint, proposes, read, scalar_signals, step_signals
from ebmkit.training.alarms.table import EVERY
from ebmkit.training.batches import check_finite
from ebmkit.training.step import StepReport

Note = Callable[[str], None]

ALARMS = "alarms.jsonl"
WATCHED = 12
"""Looks at a new run at which its buffer is looked through; a buffer that has changed counts as watched."""


class RunAlarms:
    """Looks at a run every so many steps; warns, then stops it, or says how it goes back.

    What it knows goes into each checkpoint: a run that is resumed is looked at as if it had not stopped. It uses no
    random stream and changes no number.

    Args:
        assembly: that is trained.
        note: is told the warnings; unset, they are logged as "ebmkit.alarms".
        directory: of the run, where `alarms.jsonl` is written at the first finding; None for nowhere.
    """

    def __init__(self, assembly: Assembly, note: Note | None, directory: Path | None) -> None:
        recipe, parts, data = assembly.recipe, assembly.parts, assembly.data
        config = recipe.table("run")
        self.on: bool = config.alarms
        self.first_step = begins_after(recipe) + 1
        noised = any(coordinate.noises_x for coordinate in parts.coordinates)
        self.alarms = Alarms(temperature=config.temperature or 1.0, n_entries=prod(data.event_shape))
        self.value_range = None if noised or data.x_values != "real" else data.value_range
        self.buffer, self.proposes, self.world = parts.buffer, proposes(parts.sampler), parts.world
        self.note = note or logging.getLogger("ebmkit.alarms").warning
        self.lines = Lines(Path() if directory is None else directory / ALARMS)
        self.writes = directory is not None
        self.rollbacks = Rollbacks(config, on_disk=self.writes, n_processes=self.world.size, after=begins_after(recipe))
        self.last: tuple[int, Mapping[str, Tensor], Mapping[str, Tensor]] | None = None
        self.rows: tuple[float, ...] = ()
        self.unchanged = 0

    def begin(self, after: int, sealed: Mapping[str, Seal]) -> None:
        """Gets the file ready for a run that makes the step after `after`; see `Lines.cut`."""
        if self.writes:
            self._tell_of_stop(self.lines.path)
            self.lines.cut(after, sealed.get(ALARMS), self.note)

    def look(self, report: StepReport) -> Sequence[Finding]:
        """Looks at a step, if it is time; returns what is to be warned of, the gravest first.

        Raises:
            DivergenceError: the run has gone wrong beyond doubt.
        """
        self.last = report.step, report.losses, report.metrics
        if not self.on or (report.step % EVERY and report.step > self.first_step):
            return ()
        signals = step_signals(report, proposes=self.proposes, value_range=self.value_range)
        signals = dict(zip(signals, self.world.mean([*signals.values()]), strict=True))
        found = self.alarms.look(report.step, {**signals, **self._buffer_signals(report.step)})
        self.rollbacks.look(report.step, is_well=self.alarms.are_quiet)
        for finding in found:
            self._write(finding)
        if found and found[0].kind == "stop":
            raise DivergenceError(f"{found[0].text} The run was stopped; run.alarms=false would let it go on.")
        if found:
            also = ", ".join(finding.alarm.name for finding in found[1:])
            self.note(f"Warning: {found[0].text}{f' Also: {also}.' if also else ''}")
        return found

    def go_back(self, step: int, error: DivergenceError) -> int:
        """Writes down that the run goes back, says so, and returns the step; raises the error where it may not."""
        if not self.rollbacks.are_left:
            raise error
        alarms = re.findall(r"\(alarm ([\w-]+);", str(error))
        entry = self.rollbacks.go_back(step, alarms[0] if alarms else "not-finite")
        self.lines.append(entry)
        self.note(
            f"Rollback {len(self.rollbacks.made)} of {self.rollbacks.config.rollbacks}: {error} The run goes back to "
            f"step {entry['to']}, with the seed {entry['seed']} and {entry['rate']:g} of its learning rates."
        )
        return self.rollbacks.healthy

    def as_json(self) -> dict[str, Any]:
        """Returns what a checkpoint holds of the alarms."""
        seen = {"rows": list(self.rows), "unchanged": self.unchanged}
        return {"alarms": self.alarms.as_json(), "seen": seen, "rollbacks": self.rollbacks.as_json()}

    def take(self, saved: Mapping[str, Any], *, going_back: bool = False) -> None:
        """Goes on from what a checkpoint holds; raises CheckpointError where that is not ours.

        Args:
            saved: what `as_json` returned.
            going_back: keep what is known of rollbacks, which are counted on.
        """
        try:
            self.alarms.take(saved["alarms"])
            self.rows, self.unchanged = tuple(saved["seen"]["rows"]), int(saved["seen"]["unchanged"])
            self.last = None
            if not going_back:
                self.rollbacks.take(saved["rollbacks"])
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"What the checkpoint says of the alarms is not ours: {error}.") from error

    def inherit(self, saved: Mapping[str, Any]) -> None:
        """Takes what a stage hands on to the next: how often the run went back. What was seen begins anew."""
        try:
            self.rollbacks.made = list(saved["rollbacks"]["made"])
        except (LookupError, TypeError) as error:
            raise CheckpointError(f"What the checkpoint says of the alarms is not ours: {error}.") from error

    def _tell_of_stop(self, path: Path) -> None:
        """Says of a run that goes on that an alarm had stopped it, and that this changes none of its settings."""
        lines = [entry for entry in read_lines(path) if entry.get("kind") in ("stop", "rollback")]
        if lines and lines[-1]["kind"] == "stop":
            self.note(
                f"The alarm {lines[-1].get('alarm')} stopped this run at step {lines[-1]['step']}. It goes on with the "
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
        if step == self.first_step:
            self.rows = rows
            return {}
        (changed,) = self.world.any(not self.rows or rows != self.rows)
        self.unchanged = WATCHED if changed else self.unchanged + 1
        return {"buffer_unchanged": float(self.unchanged)} if self.unchanged < WATCHED else {}

    def _write(self, finding: Finding) -> None:
        if not self.writes:
            return
        line = {
            "step": finding.step, "alarm": finding.alarm.name, "kind": finding.kind, "value": finding.value,
            "signals": dict(finding.signals),
        }  # fmt: skip
        self.lines.append(line)

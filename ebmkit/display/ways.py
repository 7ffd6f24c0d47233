"""The ways in which a training step is shown: live on a terminal, one line in a notebook, lines in a pipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ebmkit.display.gauge import Gauge
from ebmkit.display.output import remark, say
from ebmkit.display.progress import Pace, Progress, duration, items_of, statistics

if TYPE_CHECKING:
    from ebmkit.display.notebook import OneLine
    from ebmkit.display.terminal import Stage

SECONDS_A_FRAME = 0.2
FEW = 10
"""Lines that a run from Python writes into a pipe, beside its first and its last."""


class LiveDisplay:
    """Redraws a gauge after a step, at most a few times a second."""

    def __init__(self, stage: Stage, heading: str) -> None:
        self._stage, self._heading, self._pace, self._values = stage, heading, Pace(), dict[str, float]()
        self._drawn = -SECONDS_A_FRAME

    def __call__(self, progress: Progress) -> None:
        """Shows one step."""
        rate, left = self._pace.update(progress)
        self._values.update(progress.values)
        if progress.step < progress.steps and progress.seconds - self._drawn < SECONDS_A_FRAME:
            return
        if self._drawn < 0 and self._heading:
            self._stage.above(self._heading)
        self._drawn = progress.seconds
        ending = f"{duration(left)} left" if progress.step < progress.steps else f"in {duration(progress.seconds)}"
        items = (f"{rate:,.0f} data/s", *statistics(self._values))
        self._stage.show(Gauge(done=progress.step, total=progress.steps, left=ending, items=items))


class PlainLines:
    """One line a logged step."""

    def __init__(self, heading: str) -> None:
        self._heading, self._pace = heading, Pace()

    def __call__(self, progress: Progress) -> None:
        """Shows one step, where it was logged."""
        rate, left = self._pace.update(progress)
        if self._heading:
            say(self._heading)
            self._heading = ""
        if progress.values:
            head = (f"step {progress.step}/{progress.steps}", f"{rate:,.0f} data/s", f"{duration(left)} left")
            say("  ".join((*head, *statistics(progress.values))))


class FewLines:
    """About ten lines a run, as remarks: what a script from Python prints itself stays apart."""

    def __init__(self, heading: str, write: Callable[[str], None] = remark) -> None:
        self._heading, self._write, self._pace, self._values = heading, write, Pace(), dict[str, float]()
        self._next = 0

    def __call__(self, progress: Progress) -> None:
        """Shows the first step, the last, and every tenth of the run."""
        rate, left = self._pace.update(progress)
        self._values.update(progress.values)
        if progress.step < min(self._next, progress.steps):
            return
        if self._heading:
            self._write(self._heading)
            self._heading = ""
        tenths = progress.step * FEW // progress.steps + 1
        self._next = -(-tenths * progress.steps // FEW)
        self._write("  ".join(items_of(progress, rate, left, self._values)))


class NotebookLine:
    """One line of a notebook, written again and again."""

    def __init__(self, line: OneLine, heading: str) -> None:
        self._line, self._heading, self._pace, self._values = line, heading, Pace(), dict[str, float]()
        self._drawn = -SECONDS_A_FRAME

    def __call__(self, progress: Progress) -> None:
        """Shows one step."""
        rate, left = self._pace.update(progress)
        self._values.update(progress.values)
        if progress.step < progress.steps and progress.seconds - self._drawn < SECONDS_A_FRAME:
            return
        if self._drawn < 0 and self._heading:
            self._line.above(self._heading)
        self._drawn = progress.seconds
        self._line.show("   ".join(items_of(progress, rate, left, self._values)))

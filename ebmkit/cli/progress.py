"""What a person sees while a run goes on: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from ebmkit.cli.output import console, is_terminal, say

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

    from ebmkit.runs.loop import Progress, Watcher

STATISTICS = (
    ("gap", "E⁺−E⁻"),
    ("chain_displacement", "moved"),
    ("chain_accept_rate", "accepted"),
)
BAR_WIDTH = (10, 50)
SECONDS_A_FRAME = 0.2


class Pace:
    """The speed of the last seconds, so that a slow start does not spoil the forecast."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int, int]] = deque(maxlen=20)

    def update(self, progress: Progress) -> tuple[float, float]:
        """Returns (images per second, seconds left)."""
        now = (progress.seconds, progress.step, progress.images)
        if not self._marks or progress.seconds - self._marks[-1][0] >= 0.5:
            self._marks.append(now)
        first = self._marks[0]
        if now[1] == first[1]:  # the only step so far
            return progress.images / max(progress.seconds, 1e-9), progress.seconds * (progress.steps - progress.step)
        seconds, steps, images = (b - a for a, b in zip(first, now, strict=True))
        return images / max(seconds, 1e-9), seconds / steps * (progress.steps - progress.step)


def statistics(values: Mapping[str, float]) -> list[str]:
    """Returns the logged values that tell how a run goes, each with its name."""
    chosen = [f"{label} {values[key]:.4g}" for key, label in STATISTICS if key in values]
    return chosen + [f"{key.removeprefix('loss.')} {v:.4g}" for key, v in values.items() if key.startswith("loss.")]


def duration(seconds: float) -> str:
    """Returns a time as a person writes it.

    >>> duration(75), duration(3725)
    ('1:15', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def packed(items: Sequence[str], width: int, between: str = "   ") -> list[str]:
    """Returns lines no wider than the width, broken between items only.

    >>> packed(["gap 1.25", "moved 0.1", "accepted 1"], 22)
    ['gap 1.25   moved 0.1', 'accepted 1']
    """
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(between) + len(item) <= width:
            lines[-1] += between + item
        else:
            lines.append(item[:width])
    return lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Gauge:
    """A bar with how far it is, and lines of values that wrap between items only."""

    done: int
    total: int
    left: str
    items: tuple[str, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draws it as wide as the terminal allows."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        count = f"{self.done:,}/{self.total:,}"
        room = options.max_width - len(count) - len(self.left) - 4
        line = Table.grid(padding=(0, 2, 0, 0))
        bar = ProgressBar(total=self.total, completed=self.done, width=min(max(room, BAR_WIDTH[0]), BAR_WIDTH[1]))
        line.add_row(bar, Text(count, style="bold"), Text(self.left))
        yield line
        for text in packed(self.items, options.max_width):
            yield Text(text, no_wrap=True)


class LiveDisplay:
    """Redraws a gauge after a step, at most a few times a second."""

    def __init__(self, live: Live, heading: str) -> None:
        self._live, self._heading, self._pace, self._values = live, heading, Pace(), dict[str, float]()
        self._drawn = -SECONDS_A_FRAME

    def __call__(self, progress: Progress) -> None:
        """Shows one step."""
        rate, left = self._pace.update(progress)
        self._values.update(progress.values)
        if progress.step < progress.steps and progress.seconds - self._drawn < SECONDS_A_FRAME:
            return
        if self._drawn < 0:
            self._live.console.print(self._heading, markup=False, soft_wrap=True)
        self._drawn = progress.seconds
        ending = f"{duration(left)} left" if progress.step < progress.steps else f"in {duration(progress.seconds)}"
        items = (f"{rate:,.0f} images/s", *statistics(self._values))
        draw(self._live, Gauge(done=progress.step, total=progress.steps, left=ending, items=items))


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
            head = (f"step {progress.step}/{progress.steps}", f"{rate:,.0f} images/s", f"{duration(left)} left")
            say("  ".join((*head, *statistics(progress.values))))


@contextmanager
def watching(heading: str) -> Iterator[Watcher]:
    """Yields what `ebmkit.run` is to tell of each step; the heading appears with the first one."""
    if not is_terminal():
        yield PlainLines(heading)
        return
    with _live("getting data and parts ready …") as live:
        yield LiveDisplay(live, heading)


@contextmanager
def counting() -> Iterator[Callable[..., None]]:
    """Yields a function of (done, total, of what, *more) that shows how far sampling is; silent without a terminal."""
    if not is_terminal():
        yield lambda done, total, left, *items: None
        return
    with _live("getting the model ready …") as live:
        drawn = -SECONDS_A_FRAME

        def tell(done: int, total: int, left: str, *items: str) -> None:
            nonlocal drawn
            if done == total or monotonic() - drawn >= SECONDS_A_FRAME:
                drawn = monotonic()
                draw(live, Gauge(done=done, total=total, left=left, items=items))

        yield tell


def draw(live: Live, gauge: Gauge) -> None:
    """Shows a gauge, which then stays on the screen when the display ends."""
    live.transient = False
    live.update(gauge, refresh=True)


@contextmanager
def _live(first: str) -> Iterator[Live]:
    """Yields a display that shows a first line, gone at the end if nothing else was drawn."""
    from rich.live import Live
    from rich.text import Text

    with Live(Text(first, style="dim"), console=console(), auto_refresh=False, transient=True) as live:
        live.refresh()
        yield live

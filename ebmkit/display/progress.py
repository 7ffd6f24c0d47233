"""How far a run is, and the words for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

STATISTICS = (
    ("gap", "E⁺−E⁻"),
    ("chain_displacement", "moved"),
    ("chain_accept_rate", "accepted"),
)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a watcher sees of each step.

    Attributes:
        step: training step, from 1.
        steps: of the whole run.
        values: losses and metrics of logged steps, else empty.
        seconds: since the start of this call.
        images: positives scored since then.
    """

    step: int
    steps: int
    values: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    images: int = 0


Watcher = Callable[[Progress], None]


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


def items_of(progress: Progress, rate: float, left: float, values: Mapping[str, float]) -> tuple[str, ...]:
    """Returns what a line says of a step: how far, how fast, how long still, and the values."""
    ending = f"{duration(left)} left" if progress.step < progress.steps else f"in {duration(progress.seconds)}"
    return (f"step {progress.step}/{progress.steps}", f"{rate:,.0f} data/s", ending, *statistics(values))

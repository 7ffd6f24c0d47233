"""Axes: from numbers to pixels, with ticks at round numbers; linear, logarithmic, or both ways from zero."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import asinh, ceil, floor, isfinite, log10
from typing import Literal

from ebmkit.evaluation.report.numbers import MINUS, said

Kind = Literal["linear", "log", "symlog"]

WIDE = 300.0
"""Ratio of the largest to the smallest of positive numbers from which an axis is logarithmic."""
OUTLYING = 12.0
"""The same of the whole range to that of the middle 90 % from which an axis of any sign is logarithmic both ways."""
MAGNITUDE, SMALLEST = 1e100, 1e-100
"""Numbers beyond the first count as infinite, below the second as 0: axes that held them would overflow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """One axis.

    Attributes:
        kind: how numbers are spread over it.
        low, high: its ends, low < high.
        start, end: pixels of the ends.
        linear_to: of "symlog", the magnitude up to which it is about linear.
        whole: whole numbers alone are marked, as of steps.
    """

    kind: Kind
    low: float
    high: float
    start: float
    end: float
    linear_to: float = 1.0
    whole: bool = False

    def __call__(self, value: float) -> float:
        """Returns the pixel of a number; one beyond an end lies at that end."""
        low, high = self._bent(self.low), self._bent(self.high)
        share = (self._bent(min(max(value, self.low), self.high)) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Returns pixel and label of round numbers on it."""
        if self.kind == "linear":
            return [(self(value), label) for value, label in _round_numbers(self, most)]
        chosen = (_powers if self.kind == "log" else _powers_both_ways)(self, most)
        return [(self(value), said(value)) for value in chosen]

    def _bent(self, value: float) -> float:
        if self.kind == "log":
            return log10(value)
        return asinh(value / self.linear_to) if self.kind == "symlog" else value


def scale_of(
    values: Iterable[float], start: float, end: float, kind: Kind | None = None, margin: float = 0.04
) -> Scale:
    """Returns an axis that holds all finite values.

    Args:
        values: that it is to hold.
        start: pixel of its lower end.
        end: pixel of its upper end.
        kind: unset, what suits the values.
        margin: share of its length left free at both ends.
    """
    drawn = (float(value) for value in values if isfinite(value) and abs(value) < MAGNITUDE)
    found = sorted(value if abs(value) > SMALLEST else 0.0 for value in drawn)
    if not found:
        return Scale(kind="linear", low=0.0, high=1.0, start=start, end=end)
    kind = kind or suited(found)
    if (kind == "log" and found[0] <= 0) or found[0] == found[-1]:
        kind = "linear"
    low, high = found[0], found[-1]
    if kind == "log":
        room = max((high / low) ** margin, 1.02)
        return Scale(kind="log", low=low / room, high=high * room, start=start, end=end)
    if kind == "symlog":
        room = 10**0.2
        low, high = (low * room if low < 0 else 0.0), (high * room if high > 0 else 0.0)
        return Scale(kind="symlog", low=low, high=high, start=start, end=end, linear_to=_usual(found))
    same = high - low <= 1e-9 * max(abs(low), abs(high))
    room = (0.1 * max(abs(low), abs(high)) or 1.0) if same else (high - low) * margin
    return Scale(kind="linear", low=low - room, high=high + room, start=start, end=end)


def suited(values: Sequence[float]) -> Kind:
    """Returns the kind of axis that suits sorted finite numbers."""
    low, high = values[0], values[-1]
    if low > 0:
        return "log" if high / low > WIDE else "linear"
    middle = (_quantile(values, 0.95) - _quantile(values, 0.05)) or _usual(values)
    return "symlog" if middle > 0 and (high - low) / middle > OUTLYING else "linear"


def _usual(values: Sequence[float]) -> float:
    """Returns a magnitude that half of the numbers do not exceed."""
    sizes = sorted(abs(value) for value in values)
    return _quantile(sizes, 0.5) or _quantile(sizes, 0.95) or sizes[-1] or 1.0


def _quantile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]


def _round_numbers(scale: Scale, most: int) -> list[tuple[float, str]]:
    """Returns round numbers and their labels, with as many places as tell neighbours apart."""
    rough = (scale.high - scale.low) / max(most - 1, 1)
    power = floor(log10(rough))
    step = next(10.0**power * factor for factor in (1, 2, 5, 10) if 10.0**power * factor >= rough * 0.999)
    step = max(step, 1.0) if scale.whole else step
    first, last = ceil(scale.low / step), floor(scale.high / step)
    numbers = [0.0 if i == 0 else float(f"{i * step:.12g}") for i in range(first, last + 1)]
    places = max(0, -floor(log10(step) + 1e-9))
    if places > 4 or max(abs(scale.low), abs(scale.high)) >= 1e7:
        return [(n, said(n, 2 + max(0, floor(log10(abs(n) / step) + 1e-9)) if n else 1)) for n in numbers]
    return [(n, "0" if n == 0 else f"{n:,.{places}f}".replace("-", MINUS)) for n in numbers]


def _powers(scale: Scale, most: int) -> list[float]:
    first, last = ceil(log10(scale.low)), floor(log10(scale.high))
    if last - first < 1:
        return [n for n, _ in _round_numbers(scale, most) if n > 0]
    every = max(1, ceil((last - first + 1) / most))
    return [10.0**power for power in range(first, last + 1) if (power - first) % every == 0]


def _powers_both_ways(scale: Scale, most: int) -> list[float]:
    foot = floor(log10(scale.linear_to))
    sides = [(sign, end) for sign, end in ((-1, -scale.low), (1, scale.high)) if end > scale.linear_to]
    found = [0.0]
    for sign, end in sides:
        top = floor(log10(end))
        every = max(1, ceil((top - foot) / max(1, (most - 1) // len(sides))))
        found += [sign * 10.0**power for power in range(top, foot, -every)]
    return sorted(found)

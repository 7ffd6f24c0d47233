"""Noise schedules: how much of a datum each level keeps. Plain numbers, so that the resolver can refuse a bad one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from math import cos, pi
from types import MappingProxyType

Betas = tuple[float, ...]

PUBLISHED: Mapping[int, tuple[float, float]] = MappingProxyType({50: (2e-4, 2e-2), 6: (1e-2, 0.3)})
"""(low, high) of the published schedules with so many noisy levels: images, rings."""

LAST_SIGNAL = 0.055
"""ᾱ at the last level where low and high are left open: that of the published images (.055; rings: .066)."""


def linspace(low: float, high: float, n: int) -> tuple[float, ...]:
    """Returns n evenly spaced numbers, the first of them `low`."""
    return tuple(low + (high - low) * i / max(n - 1, 1) for i in range(n))


def sqrt_cumulative_linear(n: int, low: float, high: float) -> Betas:
    """Returns β_0 = 0 and β_t = (Σ_{i ≤ t} b_i)² up to 1, b = linspace(low, high, n) (Zhang, Tan, Ou, 2023)."""
    return (0.0, *(min(total**2, 1.0) for total in accumulate(linspace(low, high, n))))


def linear(n: int, low: float, high: float) -> Betas:
    """Returns β_0 = 0 and β = linspace(low, high, n) up to 1 (Ho, Jain, Abbeel, 2020, section 4)."""
    return (0.0, *(min(max(beta, 0.0), 1.0) for beta in linspace(low, high, n)))


def cosine(n: int, low: float = 0.0, high: float = 0.999) -> Betas:
    """Returns β_0 = 0 and the β of ᾱ_t ∝ cos²(π/2 · (t/n + .008)/1.008), up to .999 (Nichol, Dhariwal, 2021)."""
    kept = [cos((t / n + 0.008) / 1.008 * pi / 2) ** 2 for t in range(n + 1)]
    return (0.0, *(min(1 - kept[t] / kept[t - 1], 0.999) for t in range(1, n + 1)))


SCHEDULES: Mapping[str, Callable[[int, float, float], Betas]] = MappingProxyType(
    {"sqrt-cumulative-linear": sqrt_cumulative_linear, "linear": linear, "cosine": cosine}
)


def signals(betas: Sequence[float]) -> tuple[float, ...]:
    """Returns ᾱ_t = Π_{i ≤ t} (1 − β_i), in [0, 1].

    >>> [round(kept**0.5, 3) for kept in signals(sqrt_cumulative_linear(6, 1e-2, 0.3))]
    [1.0, 1.0, 0.997, 0.976, 0.899, 0.699, 0.257]
    """
    return tuple(accumulate((1 - beta for beta in betas), lambda a, b: a * b))


def usual_ends(schedule: str, n: int) -> tuple[float, float]:
    """Returns (low, high) where they are left open: the published ones, or such that ᾱ falls to `LAST_SIGNAL`.

    low is high/100, as published for images; a schedule of a single noisy level is all `low`, so there they are equal.
    """
    if schedule == "sqrt-cumulative-linear" and n in PUBLISHED:
        return PUBLISHED[n]
    share, smallest, largest = (1.0 if n == 1 else 0.01), 0.0, 1.0
    for _ in range(60):  # ᾱ falls as high grows
        high = (smallest + largest) / 2
        enough = signals(SCHEDULES[schedule](n, share * high, high))[-1] <= LAST_SIGNAL
        smallest, largest = (smallest, high) if enough else (high, largest)
    return share * largest, largest


def wrong_with(betas: Sequence[float]) -> str:
    """Returns why a schedule cannot be used, or "": every level must hold less of the datum than the one before."""
    kept = signals(betas)
    for t in range(1, len(kept)):
        if not kept[t] < kept[t - 1]:
            return (
                f"the schedule is not monotone: level {t} holds {kept[t]:.4g} of the datum's power, level {t - 1} "
                f"{kept[t - 1]:.4g}. Every level must hold less than the one before: change low, high or the number "
                "of levels"
            )
    return ""

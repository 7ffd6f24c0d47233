"""Noise schedules: how much of a datum each level keeps. Plain numbers, so that the resolver can refuse a bad one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, pairwise, takewhile
from math import atan, cos, exp, expm1, hypot, log, log1p, pi
from types import MappingProxyType

Betas = tuple[float, ...]

PUBLISHED: Mapping[int, tuple[float, float]] = MappingProxyType({50: (2e-4, 2e-2), 6: (1e-2, 0.3)})
"""(low, high) of the published schedules with so many noisy levels: images, rings."""

LOG_SNR = (9.8, -5.1)
"""log ᾱ/(1 − ᾱ) of the first and the last noisy level of "log-snr-cosine" (Zhu, Xie, Wu, Gao, 2024)."""

EVEN = (0.1, 1.0)
"""(low, high) of "even" where they are left open."""

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


def log_snr_cosine(n: int, low: float = 0.0, high: float = 0.0) -> Betas:
    """Returns β_0 = 0 and the β of log ᾱ/(1 − ᾱ) = −2 log tan(a u + b), from 9.8 to −5.1 as u goes from 0 to 1.

    Source: Zhu, Xie, Wu, Gao (2024), section 3; the curve: Kingma, Gao (2023), table 1.
    """
    first, last = (atan(exp(-ratio / 2)) for ratio in LOG_SNR)
    return from_signals(cos(angle) ** 2 for angle in linspace(first, last, n))


def even(n: int, low: float, high: float, last: float = 0.0) -> Betas:
    """Returns β_0 = 0 and the β of levels that overlap equally, the last of which is pure noise unless asked otherwise.

    Diffused, data of s.d. σ have the variance v(σ) = ᾱσ² + 1 − ᾱ. The squared distance of two near levels, twice their
    KL divergence, is ½ Σ (d log v)² over the directions; levels are equally far along the path for data that are as
    narrow as `low` in half of the directions and as wide as `high` in the others. With high = 1 it is the geometric
    schedule of the s.d. of all noise.

    Source: ours; geometric: Song, Ermon (2020), Improved techniques for training score-based models, proposition 2.

    Args:
        n: levels beside the clean one.
        low: s.d. of the finest structure, data units, below 1.
        high: s.d. of the data, data units.
        last: ᾱ_n, the share of the datum's power that the last level holds.
    """
    wide, fine = high**2 - 1, low**2 - 1
    end, pieces = log(low**2), 300 * max(n, 10)
    every = (expm1(end * (1 - i / pieces)) / fine for i in range(pieces + 1))  # log v(low) in equal steps
    kept = [*takewhile(lambda signal: signal > last, every), last]
    logs = [(log1p(fine * signal), log1p(wide * signal)) for signal in kept]
    steps = [hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(logs)]
    along = [0.0, *accumulate(steps)]
    places = [bisect_left(along, along[-1] * t / n) for t in range(1, n)]
    return from_signals([*(kept[place] for place in places), last])


def from_signals(kept: Iterable[float]) -> Betas:
    """Returns β_0 = 0 and the β of ᾱ_1 … ᾱ_T.

    >>> signals(from_signals([0.5, 0.25, 0.0]))
    (1.0, 0.5, 0.25, 0.0)
    """
    every = [1.0, *kept]
    return (0.0, *(1 - now / before if before else 0.0 for before, now in pairwise(every)))


def ending_in_noise(betas: Sequence[float]) -> Betas:
    """Returns the schedule with one more level, of pure noise: β = 1."""
    return (*betas, 1.0)


SCHEDULES: Mapping[str, Callable[[int, float, float], Betas]] = MappingProxyType(
    {
        "sqrt-cumulative-linear": sqrt_cumulative_linear,
        "linear": linear,
        "cosine": cosine,
        "log-snr-cosine": log_snr_cosine,
        "even": even,
    }
)
WITHOUT_ENDS = frozenset({"cosine", "log-snr-cosine"})
"""Schedules with nothing to set but the number of levels."""


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
    if schedule == "even":
        return EVEN
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

"""The ladder of noise levels: how much of x each of its steps keeps. Plain numbers, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import sqrt
from typing import Literal

N_FINE, FIRST_BETA, LAST_BETA = 1000, 1e-4, 0.02
"""The fine schedule of which the ladder takes a few steps (Ho, Jain, Abbeel, 2020, section 4)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ladder:
    """x_t = a_t x_{t−1} + σ_t ε for t = 1 … T, x_0 the datum with a little noise. Entry 0 of each table is that of x_0.

    Attributes:
        scales: a_t, in (0, 1]; a_0 = 1.
        sds: σ_t = √(1 − a_t²), data units; σ_0 = 0.
        kept: √ᾱ_t = a_1 … a_t: x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε.
        smooth: s.d. of the noise of x_0, data units.
    """

    scales: tuple[float, ...]
    sds: tuple[float, ...]
    kept: tuple[float, ...]
    smooth: float

    @property
    def totals(self) -> tuple[float, ...]:
        """s.d. of all noise in x_t, data units: √(ᾱ_t·smooth² + 1 − ᾱ_t)."""
        return tuple(sqrt((kept * self.smooth) ** 2 + 1 - kept**2) for kept in self.kept)

    def variance(self, t: int, data_sd: float) -> float:
        """Returns the variance of an entry of y = a_t x_{t−1}, t ≥ 1, for data of a standard deviation."""
        before = self.kept[t - 1] ** 2
        return self.scales[t] ** 2 * (before * (data_sd**2 + self.smooth**2) + 1 - before)


def ladder(n: int, smooth: float, spacing: Literal["published", "even"] = "published") -> Ladder:
    """Returns a ladder of n steps: ᾱ_t is that of a linear schedule of 1,000 steps at n of them.

    Args:
        n: T.
        smooth: s.d. of the noise of x_0, data units.
        spacing: "published", steps 100, 200, …, 500 and 999 for n = 6, from step 0, whose noise is that of x_0; "even",
            1000·t/n.

    Source: Gao, Song, Poole, Wu, Kingma (2021), section 4, and for the steps their code, `get_sigma_schedule`.

    >>> [round(kept, 3) for kept in ladder(6, 0.01).kept]
    [1.0, 0.946, 0.81, 0.628, 0.44, 0.279, 0.006]
    >>> [round(kept, 3) for kept in ladder(6, 0.01, "even").kept]
    [1.0, 0.864, 0.566, 0.28, 0.105, 0.03, 0.006]
    """
    betas = [FIRST_BETA + (LAST_BETA - FIRST_BETA) * i / (N_FINE - 1) for i in range(N_FINE)]
    signals = [1.0, *accumulate((1 - beta for beta in betas), lambda a, b: a * b)]
    if spacing == "even":
        steps = [round(N_FINE * t / n) for t in range(n + 1)]
    else:
        apart = N_FINE // (2 * max(n - 1, 1))
        steps = [*(1 + apart * t for t in range(n)), N_FINE]
    kept = [sqrt(signals[step] / signals[steps[0]]) for step in steps]
    scales = [1.0, *(after / before for before, after in pairwise(kept))]
    sds = [sqrt(max(1 - scale**2, 0.0)) for scale in scales]
    return Ladder(scales=tuple(scales), sds=tuple(sds), kept=tuple(kept), smooth=smooth)

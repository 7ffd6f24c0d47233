"""When a mean, or a histogram, is too far from what it must be: false alarms are below 1e-8 a check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan
from statistics import NormalDist

import torch
from torch import Tensor

from ebmkit.point import Point
from ebmkit.testing.law import Law, Statistic, seeded

FALSE_ALARM = 1e-8
N_BINS, N_REFERENCE = 16, 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Deviation:
    """How far one statistic is off.

    Attributes:
        z: in standard errors; NaN where it cannot be computed, which is as far as can be.
        found: its mean; NaN of a histogram, which has none.
        expected: exact.
        error: standard error of the mean.
    """

    z: float
    found: float = nan
    expected: float = nan
    error: float = nan

    @property
    def size(self) -> float:
        """The |z| by which deviations are compared."""
        return float("inf") if isnan(self.z) else abs(self.z)

    def __str__(self) -> str:
        """Says what is off: the mean where there is one."""
        if isnan(self.expected):
            return f"{self.size:.1f} standard errors off"
        return (
            f"{self.found:.4g} ± {self.error:.2g} and must be {self.expected:.4g}: {self.size:.1f} standard errors off"
        )


def limit(n_statistics: int) -> float:
    """Returns the |z| beyond which the worst of some statistics is a false alarm with probability `FALSE_ALARM`."""
    return NormalDist().inv_cdf(1 - FALSE_ALARM / (2 * n_statistics))


def z_of_chi_square(chi_square: float, n_free: int) -> float:
    """Returns the standard normal value of a χ² value.

    Source: Wilson, Hilferty (1931), the cube root of χ²/n is nearly normal.
    """
    spread = 2 / (9 * n_free)
    return float(((chi_square / n_free) ** (1 / 3) - (1 - spread)) / spread**0.5)


def histogram_z(values: Tensor, reference: Tensor) -> float:
    """Returns the z of a two-sample χ² of N values against exact draws, in bins of equal share of the latter.

    Args:
        values: [N], independent.
        reference: [M], exact draws.
    """
    values, reference = values.double(), reference.double()
    edges = torch.quantile(reference, torch.linspace(0, 1, N_BINS + 1, dtype=torch.float64)[1:-1])
    edges = torch.unique(edges)
    counts = [torch.bincount(torch.bucketize(v, edges), minlength=len(edges) + 1) for v in (values, reference)]
    filled = (counts[0] + counts[1]) > 0
    a, b = counts[0][filled].double(), counts[1][filled].double()
    ratio = (len(reference) / len(values)) ** 0.5
    chi_square = ((ratio * a - b / ratio) ** 2 / (a + b)).sum()
    return z_of_chi_square(float(chi_square), max(1, len(a) - 1))


def mean_off(values: Tensor, expected: float) -> Deviation:
    """Returns how far the mean of independent values [N] is off."""
    values = values.double()
    mean, error = float(values.mean()), float(values.std()) / len(values) ** 0.5
    if error == 0.0:
        return Deviation(z=0.0 if mean == expected else nan, found=mean, expected=expected, error=error)
    return Deviation(z=(mean - expected) / error, found=mean, expected=expected, error=error)


def deviations(
    law: Law, point: Point, more: Mapping[str, tuple[Statistic, float]] | None = None
) -> dict[str, Deviation]:
    """Returns how far each statistic is off: means against their expectations, histograms against exact draws.

    Args:
        law: that rows of the point should follow.
        point: B independent rows.
        more: further statistics and their expectations.
    """
    every = {**law.statistics, **(more or {})}
    found = {name: mean_off(statistic(point), expected) for name, (statistic, expected) in every.items()}
    exact = law.draw(N_REFERENCE, seeded(77))
    energies, entries = (law.energy(point), law.energy(exact)), (first_entry(point), first_entry(exact))
    found["histogram of the energy"] = Deviation(z=histogram_z(*energies))
    found["histogram of the first entry"] = Deviation(z=histogram_z(*entries))
    return found


def first_entry(point: Point) -> Tensor:
    """Returns the first entry of x [B]."""
    return point.x.flatten(1)[:, 0]


def worst(found: Mapping[str, Deviation]) -> tuple[str, Deviation]:
    """Returns the statistic that is furthest off, and how far; NaN is furthest of all."""
    name = max(found, key=lambda key: found[key].size)
    return name, found[name]

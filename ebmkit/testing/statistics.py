"""When a mean, or a histogram, is too far from what it must be: false alarms are below 1e-8 a check."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

import torch
from torch import Tensor

from ebmkit.point import Point
from ebmkit.testing.law import Law, Statistic, seeded

FALSE_ALARM = 1e-8
N_BINS, N_REFERENCE = 16, 100_000


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


def deviations(law: Law, point: Point, more: Mapping[str, tuple[Statistic, float]] | None = None) -> dict[str, float]:
    """Returns statistic → z: means against their expectations, histograms against exact draws.

    Args:
        law: that rows of the point should follow.
        point: B independent rows.
        more: further statistics and their expectations.
    """
    found = law.z_scores(point)
    for name, (statistic, expected) in (more or {}).items():
        values = statistic(point).double()
        found[name] = float((values.mean() - expected) / (values.std() / len(values) ** 0.5))
    exact = law.draw(N_REFERENCE, seeded(77))
    found["histogram of the energy"] = histogram_z(law.energy(point), law.energy(exact))
    found["histogram of the first entry"] = histogram_z(point.x.flatten(1)[:, 0], exact.x.flatten(1)[:, 0])
    return found


def worst(found: Mapping[str, float]) -> tuple[str, float]:
    """Returns the statistic that is furthest off, and its z; NaN is furthest of all."""
    name = max(found, key=lambda key: abs(found[key]) if found[key] == found[key] else float("inf"))
    return name, found[name]

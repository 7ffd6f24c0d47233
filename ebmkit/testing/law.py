"""What a known law is: p ∝ exp(−E) with exact draws and exact expectations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from torch import Generator, Tensor

from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point, XValues

Statistic = Callable[[Point], Tensor]
"""A number of each row [B]."""


@dataclass(frozen=True, kw_only=True)
class Discrete:
    """The least that a sampler must know of a discrete coordinate."""

    name: str
    n_values: int | None
    noises_x: bool = False
    leaves_data: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Law:
    """p ∝ exp(−E), with n exact draws and statistics [B] of known expectation.

    Attributes:
        name: in the names of checks.
        energy: of a point, nats.
        draw: n exact draws.
        draw_hot: (point, τ, rng) → x [B, *event], exact draws of p(x | coordinates of the point)^(1/τ): replicas
            of it at τ times its temperature.
        statistics: name → a number of each row and its expectation.
        event_shape: of x.
        step: data units: a step of moderate acceptance for MALA.
        value_range: walls of x, None where it has none.
        x_values: "real", "binary" or "one-hot".
        coordinates: beside x.
    """

    name: str
    energy: Any
    draw: Callable[[int, Generator], Point]
    draw_hot: Callable[[Point, float, Generator], Tensor]
    statistics: Mapping[str, tuple[Statistic, float]]
    event_shape: tuple[int, ...]
    step: float
    value_range: tuple[float, float] | None = None
    x_values: XValues = "real"
    coordinates: tuple[Discrete, ...] = ()

    def context(self, temperature: float = 1.0) -> BuildContext:
        """Returns what a sampler of this law is built with."""
        return BuildContext(
            event_shape=self.event_shape,
            value_range=self.value_range,
            x_values=self.x_values,
            coordinates=self.coordinates,  # type: ignore[arg-type]  # what a sampler reads of them is there
            temperature=temperature,
        )

    def z_scores(self, point: Point) -> dict[str, float]:
        """Returns how many standard errors the mean of each statistic over independent rows is off."""
        scores = {}
        for name, (statistic, expected) in self.statistics.items():
            values = statistic(point).double()
            scores[name] = float((values.mean() - expected) / (values.std() / len(values) ** 0.5))
        return scores

    def threshold(self, false_alarm: float = 1e-4) -> float:
        """Returns the largest |z| that an exact sampler passes in all statistics but with this probability."""
        return NormalDist().inv_cdf(1 - false_alarm / (2 * len(self.statistics)))


def seeded(seed: int) -> Generator:
    """Returns a stream on the CPU."""
    return Generator().manual_seed(seed)


def entry(i: int, power: int = 1) -> Statistic:
    """Returns the i-th entry of x, flattened, to a power."""
    return lambda point: point.x.flatten(1)[:, i] ** power

"""Replicas of a chain at higher temperatures, stored beside it."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ebmkit.coordinates.declarations import ReplicasConfig
from ebmkit.ops.rows import copies
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.scale import Scale
from ebmkit.point import Batch, Point
from ebmkit.prior import fresh_x


class Replicas:
    """The hotter replicas of a chain; data show copies of themselves, and no energy sees them."""

    name = "replicas"
    noises_x = False
    n_values = None
    leaves_data = False

    def __init__(self, *, n_replicas: int, value_range: tuple[float, float] | None, scale: Scale | None = None) -> None:
        self.n_replicas, self.value_range, self.scale = n_replicas, value_range, scale

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        """Returns the point with copies of x."""
        return point.with_aux(**{self.name: copies(point.x, self.n_replicas)})

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        """Returns the n-row point with replicas drawn as fresh x are: uniform in the value range, else normal."""
        like = copies(point.x, self.n_replicas)
        return point.with_aux(**{self.name: fresh_x(like, rng, self.value_range, self.scale)})

    def clean(self, point: Point) -> Point:
        """Returns the point as it is: any replicas belong to data."""
        return point

    def is_data(self, point: Point) -> Tensor:
        """Returns True for every row."""
        return torch.ones(len(point), dtype=torch.bool, device=point.x.device)

    def signal(self, point: Point) -> Tensor:
        """Returns 1 for every row: replicas take nothing from x."""
        return torch.ones(len(point), device=point.x.device)

    def to_data(self, point: Point) -> Tensor:
        """Returns x as it is."""
        return point.x


def build_replicas(config: ReplicasConfig, context: BuildContext) -> Replicas:
    """Builds the coordinate."""
    return Replicas(n_replicas=config.n_temperatures - 1, value_range=context.value_range, scale=context.scale)

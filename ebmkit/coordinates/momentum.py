"""The momentum of a chain as a coordinate: it is stored with its row, and a fresh chain draws it."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ebmkit.coordinates.declarations import MomentumConfig
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, Point


class Momentum:
    """Standard normal and independent of x: data and fresh chains draw it alike, and no energy sees it."""

    name = "momentum"
    noises_x = False
    n_values = None
    leaves_data = False

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        """Returns the point with a momentum drawn for each datum."""
        return self.prior(len(point), point, rng)

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        """Returns the point with a momentum drawn in each of its n rows."""
        x = point.x
        return point.with_aux(momentum=torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype))

    def clean(self, point: Point) -> Point:
        """Returns the point as it is: any momentum belongs to data."""
        return point

    def is_data(self, point: Point) -> Tensor:
        """Returns True for every row."""
        return torch.ones(len(point), dtype=torch.bool, device=point.x.device)

    def signal(self, point: Point) -> Tensor:
        """Returns 1 for every row: a momentum takes nothing from x."""
        return torch.ones(len(point), device=point.x.device)

    def to_data(self, point: Point) -> Tensor:
        """Returns x as it is."""
        return point.x


def build_momentum(config: MomentumConfig, context: BuildContext) -> Momentum:
    """Builds the coordinate."""
    return Momentum()

"""Where fresh chains start."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ebmkit.ops.discrete import draw
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Coordinate


class Fresh:
    """Draws starting points: x uniform in its values or value range (else normal), then every coordinate in order."""

    def __init__(self, context: BuildContext) -> None:
        self.event_shape = context.event_shape
        self.value_range = context.value_range
        self.x_values = context.x_values
        self.coordinates: Sequence[Coordinate] = context.coordinates
        self.device = torch.device(context.device)
        self.dtype = context.dtype

    def __call__(self, n: int, rng: Generator, purpose: str = "buffer") -> Point:
        """Returns n fresh chains; purpose is "buffer" or "generation"."""
        point = Point(x=self._x((n, *self.event_shape), rng))
        for coordinate in self.coordinates:
            point = coordinate.prior(n, point, rng, purpose)
        return point

    def _x(self, shape: tuple[int, ...], rng: Generator) -> Tensor:
        if self.x_values != "real":
            return draw(shape, self.x_values, self.value_range, rng, device=self.device, dtype=self.dtype)
        if self.value_range is None:
            return torch.randn(shape, generator=rng, device=self.device, dtype=self.dtype)
        low, high = self.value_range
        return low + (high - low) * torch.rand(shape, generator=rng, device=self.device, dtype=self.dtype)

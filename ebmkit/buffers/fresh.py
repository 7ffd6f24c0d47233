"""Where fresh chains start."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator

from ebmkit.components import BuildContext
from ebmkit.point import Point
from ebmkit.protocols import Coordinate


class Fresh:
    """Draws starting points: x uniform in the value range (else normal), then every coordinate in order."""

    def __init__(self, context: BuildContext) -> None:
        self.event_shape = context.event_shape
        self.value_range = context.value_range
        self.coordinates: Sequence[Coordinate] = context.coordinates
        self.device = torch.device(context.device)
        self.dtype = context.dtype

    def __call__(self, n: int, rng: Generator, purpose: str = "buffer") -> Point:
        """Returns n fresh chains; purpose is "buffer" or "generation"."""
        shape = (n, *self.event_shape)
        if self.value_range is None:
            x = torch.randn(shape, generator=rng, device=self.device, dtype=self.dtype)
        else:
            low, high = self.value_range
            x = low + (high - low) * torch.rand(shape, generator=rng, device=self.device, dtype=self.dtype)
        point = Point(x=x)
        for coordinate in self.coordinates:
            point = coordinate.prior(n, point, rng, purpose)
        return point

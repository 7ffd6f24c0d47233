"""Where fresh chains start."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ebmkit.ops.discrete import draw
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.scale import Scale
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Coordinate


class Fresh:
    """Draws starting points: x uniform in its values or value range (else normal), then every coordinate in order.

    The normal is a standard one, or has the mean and s.d. of the data where these are far from it.
    """

    def __init__(self, context: BuildContext) -> None:
        self.event_shape = context.event_shape
        self.value_range = context.value_range
        self.x_values = context.x_values
        self.scale = context.scale
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
        empty = torch.empty(shape, device=self.device, dtype=self.dtype)
        return fresh_x(empty, rng, self.value_range, self.scale)


def fresh_x(like: Tensor, rng: Generator, value_range: tuple[float, float] | None, scale: Scale | None) -> Tensor:
    """Returns real-valued x of fresh chains, shaped as `like`: uniform in a value range, else normal.

    Args:
        like: [..., *event].
        rng: on the device of `like`.
        value_range: of the data, data units.
        scale: mean and s.d. of the normal for each entry of an event; None for a standard normal.
    """
    options = {"generator": rng, "device": like.device, "dtype": like.dtype}
    if value_range is not None:
        low, high = value_range
        return low + (high - low) * torch.rand(like.shape, **options)  # type: ignore[call-overload, no-any-return]
    x: Tensor = torch.randn(like.shape, **options)  # type: ignore[call-overload]
    if scale is None:
        return x
    n = len(scale.sd)
    mean, sd = torch.tensor(scale.mean).to(x), torch.tensor(scale.sd).to(x)
    return (mean + sd * x.reshape(-1, n)).view(like.shape)

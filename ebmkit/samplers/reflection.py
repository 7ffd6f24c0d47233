"""Walls at the ends of the range of the data: mirrors, so that samplers keep their law near them, or a clamp."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Bounds = tuple[float, float] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Walls:
    """Where x ends, for moves that are not adjusted.

    Attributes:
        bounds: (lowest, highest) value of x.
        mirror: fold x back, which keeps the order of the bias; else set it to the wall, which does not: at T of order 1
            a fifth of the draws may then lie exactly on a wall.
    """

    bounds: tuple[float, float]
    mirror: bool

    def kept(self, x: Tensor) -> Tensor:
        """Returns x [B, *event] within the walls, what is not finite staying so."""
        return mirrored(x, self.bounds)[0] if self.mirror else clamped(x, *self.bounds)


def mirrored(x: Tensor, bounds: Bounds) -> tuple[Tensor, Tensor | None]:
    """Returns x folded back into bounds as by a mirror at either end, and which way the momentum goes on.

    The map (x, p) ↦ (folded x, sign · p) keeps volume, and turning the momentum and going again leads back: a proposal
    that bounces needs no other acceptance ratio than one that does not. Without it, one pixel of an image outside would
    reject the whole image, and next to nothing would be accepted.

    Args:
        x: [B, *event], data units; what lies within bounds stays as it is, to the last bit.
        bounds: (lowest, highest) value of x; None for none.

    Returns:
        Folded x, and −1 where the number of bounces is odd, else 1, [B, *event], None without bounds; x that is not
        finite stays so.

    Source: Neal (2011), section 5.5.1.5.
    """
    if bounds is None:
        return x, None
    low, high = bounds
    width = high - low
    there = (x - low).remainder(2 * width)
    turned = there > width
    folded = (low + torch.where(turned, 2 * width - there, there)).clamp(low, high)
    inside = (x >= low) & (x <= high)
    return torch.where(inside, x, folded), torch.where(turned & ~inside, -1.0, 1.0).to(x.dtype)


def bounced(value: Tensor, sign: Tensor | None) -> Tensor:
    """Returns a momentum, or whatever turns with it, after the bounces."""
    return value if sign is None else sign * value


def clamped(values: Tensor, low: float, high: float) -> Tensor:
    """Returns the values clamped to [low, high], NaN where they are infinite: a divergence does not end at a wall."""
    return values.clamp(low, high) + (values - values)


def turned_inwards(x: Tensor, momentum: Tensor, bounds: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Returns x clamped into bounds (NaN if infinite), and the momentum pointing inwards wherever it was clamped."""
    low, high = bounds
    inwards = torch.where(x < low, momentum.abs(), torch.where(x > high, -momentum.abs(), momentum))
    return clamped(x, low, high), inwards

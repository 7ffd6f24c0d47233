"""Mirrors at the ends of the range of the data, so that exact samplers can move near them."""

from __future__ import annotations

import torch
from torch import Tensor


def mirrored(x: Tensor, bounds: tuple[float, float] | None) -> tuple[Tensor, Tensor | None]:
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

"""Discrete x: the values it may have, where fresh chains start, and its rows as whole numbers.

A network and its gradient want real numbers, so discrete x is held in floats: "binary" x has the lowest or the highest
value of the data's range in each entry, "one-hot" x a single 1 along its last axis. Other data are "real".
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional

from ebmkit.protocols.dataset import XValues

Range = tuple[float, float] | None

BITS = (0.0, 1.0)
"""The two values of binary x whose data have no range."""


def hold(x: Tensor, values: XValues, value_range: Range = None) -> Tensor:
    """Returns a bool []: x has these values and no others."""
    low, high = value_range or BITS
    if values == "binary":
        return ((x == low) | (x == high)).all()
    if values == "one-hot":
        return ((x == 0) | (x == 1)).all() & (x.sum(dim=-1) == 1).all()
    return torch.isfinite(x).all()


def draw(
    shape: tuple[int, ...], values: XValues, value_range: Range, rng: Generator, *,
    device: torch.device | str, dtype: torch.dtype | None,
) -> Tensor:  # fmt: skip
    """Returns discrete x [B, *event] in which every value is equally likely, entries independent."""
    n_values = shape[-1] if values == "one-hot" else 2
    sites = shape[:-1] if values == "one-hot" else shape
    index = torch.randint(n_values, sites, generator=rng, device=device)
    return decoded(index, values, value_range, n_values, dtype or torch.get_default_dtype())


def encoded(x: Tensor, values: XValues, value_range: Range) -> Tensor:
    """Returns discrete x as the index of each site's value: uint8, or int32 where there are more than 256 values."""
    if values == "binary":
        return (x == (value_range or BITS)[1]).to(torch.uint8)
    return x.argmax(dim=-1).to(torch.uint8 if x.shape[-1] <= 256 else torch.int32)


def decoded(index: Tensor, values: XValues, value_range: Range, n_values: int, dtype: torch.dtype) -> Tensor:
    """Returns the x whose `encoded` is this."""
    if values == "one-hot":
        return functional.one_hot(index.long(), n_values).to(dtype)
    low, high = value_range or BITS
    return torch.full(index.shape, low, dtype=dtype, device=index.device).masked_fill(index > 0, high)

"""Tensors row by row."""

from __future__ import annotations

import torch
from torch import Tensor


def rows_as(values: Tensor, like: Tensor) -> Tensor:
    """Returns [B] values as [B, 1, …], to be broadcast against [B, *event]."""
    return values.view(-1, *[1] * (like.ndim - 1))


def normal(like: Tensor, rng: torch.Generator) -> Tensor:
    """Returns standard normal noise of a tensor's shape, device and dtype."""
    return torch.randn(like.shape, generator=rng, device=like.device, dtype=like.dtype)


def copies(x: Tensor, n: int) -> Tensor:
    """Returns n copies of each row, [B, n, *event], without a graph."""
    return x.detach()[:, None].expand(-1, n, *x.shape[1:]).contiguous()

"""Perturbations whose kernel is symmetric: q(y | x) = q(x | y)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def gaussian(x: Tensor, n: int, sigma: float, rng: Generator) -> Tensor:
    """Returns x_j = y + σξ_j [B, M, *event], y = x + σξ one for each row, ξ standard normal, data units.

    Args:
        x: data [B, *event].
        n: M.
        sigma: σ = √t, data units.
        rng: stream.

    Source: Schröder et al. (2023), section 4.
    """
    first = torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
    second = torch.randn((len(x), n, *x.shape[1:]), generator=rng, device=x.device, dtype=x.dtype)
    return (x + sigma * first)[:, None] + sigma * second


def flipped(x: Tensor, n: int, flip: float, value_range: tuple[float, float], rng: Generator) -> Tensor:
    """Returns x_j [B, M, *event]: entries of y that flip by chance, where those of x flipped for y.

    Args:
        x: data [B, *event], each entry the lowest or the highest value.
        n: M.
        flip: probability of a flip, of each entry and each of the two perturbations.
        value_range: lowest and highest value.
        rng: stream.

    Source: Schröder et al. (2023), section 5.2, Bernoulli perturbation.

    >>> flipped(torch.tensor([[0.0, 1.0]]), 2, 0.0, (0.0, 1.0), Generator()).tolist()
    [[[0.0, 1.0], [0.0, 1.0]]]
    """
    first = torch.rand(x.shape, generator=rng, device=x.device) < flip
    second = torch.rand((len(x), n, *x.shape[1:]), generator=rng, device=x.device) < flip
    low, high = value_range
    clean = x[:, None].expand(second.shape)
    return torch.where(first[:, None] ^ second, low + high - clean, clean)

"""How far the results of another way of computing are from the eager ones, row by row."""

from __future__ import annotations

import torch
from torch import Tensor

Results = tuple[Tensor, ...]
ROUNDING = 1e-6


def disagreement(found: Results, expected: Results) -> list[float]:
    """Returns, tensor by tensor, the largest error of a row, relative to its norm; inf where the shapes differ.

    No large row hides another one. A row shorter than the median counts as that long: near its minimum an energy has
    gradients that are all rounding. What is not finite must be so in both, and is left out otherwise; where nothing
    that is expected is finite there is nothing to compare.

    Args:
        found: rows [B, ...], of the other way.
        expected: rows [B, ...], of the eager one.
    """
    return [_largest(a, b) for a, b in zip(found, expected, strict=True)]


def _largest(found: Tensor, expected: Tensor) -> float:
    if found.shape != expected.shape:
        return float("inf")
    both = expected.isfinite()
    if not bool(both.any()):
        return 0.0
    if not torch.equal(found.isfinite(), both):
        return float("inf")
    a, b = (_rows(torch.where(both, tensor.detach(), 0)) for tensor in (found, expected))
    length = torch.linalg.vector_norm(b, dim=1)
    length = length.maximum(length[_rows(both).any(dim=1)].median())
    error = (torch.linalg.vector_norm(a - b, dim=1) - ROUNDING).clamp(min=0)
    return float((error / length.clamp(min=ROUNDING)).max())


def _rows(tensor: Tensor) -> Tensor:
    return tensor.reshape(len(tensor), -1).cpu().double()

"""Gradients in the memory format of what they are gradients in."""

from __future__ import annotations

import torch
from torch import Tensor

Gradients = tuple[Tensor | None, ...]
"""What the backward pass of a function returns: one for each of its inputs, None where it has none."""


def laid_out_as(x: Tensor, gradient: Tensor) -> Tensor:
    """Returns a gradient in the dtype and memory format of x; kernels are several times slower on a mixture."""
    if gradient.stride() == x.stride() and gradient.dtype == x.dtype:
        return gradient
    return torch.empty_like(x).copy_(gradient)

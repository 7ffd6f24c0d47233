"""Waves of the input as further inputs, so that a small network can be sharp."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Fourier(nn.Module):
    """x ↦ (x, sin ωx, cos ωx) with n random frequencies ω ~ N(0, s² I), drawn once and kept with the weights.

    A plain network learns the slow parts of a function first and its sharp ones late or never.

    Attributes:
        frequencies: ω [n, F], radians per data unit.

    Source: Rahimi, Recht (2007), section 3; Tancik et al., Fourier features let networks learn high frequency
        functions, 2020, eq. 5, with x itself beside the waves, so that an energy can grow without bound.
    """

    frequencies: Tensor

    def __init__(self, width: int, n: int, sd: float) -> None:
        super().__init__()
        self.register_buffer("frequencies", sd * torch.randn(n, width))

    def forward(self, x: Tensor) -> Tensor:
        """Returns [B, F + 2n] for x [B, F]."""
        angles = nn.functional.linear(x, self.frequencies.to(x.dtype))
        return torch.cat([x, angles.sin(), angles.cos()], dim=1)

"""Mixtures of two Gaussians with a known log Z, in any number of dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class TwoModes:
    """E(x) = offset − log Σ exp(−|x ∓ m|²/2s²): modes 2·distance apart, with log Z in closed form."""

    d: int
    sd: float = 0.4
    distance: float = 2.0
    offset: float = 37.0

    @property
    def log_z(self) -> float:
        return math.log(2) + self.d / 2 * math.log(2 * math.pi * self.sd**2) - self.offset

    @property
    def mean(self) -> Tensor:
        return torch.full((self.d,), self.distance / math.sqrt(self.d))

    def energy(self, x: Tensor) -> Tensor:
        squares = torch.stack([(x - m).square().sum(dim=1) for m in (-self.mean, self.mean)], dim=1)
        return self.offset - torch.logsumexp(-squares / (2 * self.sd**2), dim=1)

    def draw(self, n: int, rng: Generator) -> Tensor:
        sign = 2.0 * torch.randint(2, (n, 1), generator=rng) - 1
        return sign * self.mean + self.sd * torch.randn(n, self.d, generator=rng)

"""½x² + ½cos 2x in one dimension: not Gaussian, and no step below 2 diverges on it. The bias of a step shows here."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Generator, Tensor

from ebmkit.point import Point
from ebmkit.protocols.energy import Energy

_GRID = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
_SHARE = torch.exp(-_GRID.square() / 2 - torch.cos(2 * _GRID) / 2)
WAVY_COSINE = float((_SHARE * torch.cos(2 * _GRID)).sum() / _SHARE.sum())
WAVY_SQUARE = float((_SHARE * _GRID.square()).sum() / _SHARE.sum())


def wavy_energy(point: Point) -> Tensor:
    """Returns E [B], nats."""
    return (point.x.square() + torch.cos(2 * point.x)).sum(dim=1) / 2


class WavyView:
    """The view of T(½x² + ½cos 2x), with its gradient written out: its law at T is that of the energy at 1."""

    precision: Literal["fp32"] = "fp32"
    captures = False

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = temperature
        self.live: Energy = self.energy

    def energy(self, point: Point) -> Tensor:
        """Returns E [B], nats."""
        return self.temperature * wavy_energy(point)

    def levels(self, point: Point, name: str = "level") -> Tensor:
        """Raises NotImplementedError: there is no level."""
        raise NotImplementedError

    def gradient(self, point: Point) -> Tensor:
        """Returns E' [B, 1]."""
        return self.temperature * (point.x - torch.sin(2 * point.x))

    def energy_and_gradient(self, point: Point) -> tuple[Tensor, Tensor]:
        """Returns both."""
        return self.energy(point), self.gradient(point)


def draw_wavy(n: int, rng: Generator) -> Tensor:
    """Returns n exact draws [n, 1]."""
    share = _SHARE.cumsum(0) / _SHARE.sum()
    place = torch.searchsorted(share, torch.rand(n, generator=rng, dtype=torch.float64))
    return _GRID[place.clamp(max=len(_GRID) - 1)][:, None].float()

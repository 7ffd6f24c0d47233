"""What a network hears of the level, and what the energy of a level is before the network has learnt anything."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ebmkit import BuildContext, CapabilityError, Point, at_least_fp32
from ebmkit_diffusion.declarations import LevelConditionedConfig, LevelHeadConfig
from ebmkit_diffusion.level import LEVEL, Level


def sinusoids(n: int, width: int) -> Tensor:
    """Returns sines and cosines [n, width] of 0 … n − 1 at wavelengths from 2π to 2·10⁴π (Vaswani et al., 2017)."""
    half = (width + 1) // 2
    angles = torch.arange(n)[:, None] * torch.exp(-log(1e4) * torch.arange(half) / half)
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]


class LevelTable(nn.Module):
    """A learned vector for each of T + 1 levels, from sinusoids of the level.

    It is a parametrised tensor: a frozen view folds it to a constant, and a training step computes it once.
    """

    vectors: Tensor

    def __init__(self, n_levels: int, n_waves: int, layers: nn.Module) -> None:
        super().__init__()
        self.register_buffer("vectors", sinusoids(n_levels, n_waves))
        parametrize.register_parametrization(self, "vectors", layers, unsafe=True)  # its width is another

    def forward(self) -> Tensor:
        """Returns the vectors [T + 1, width] of all levels."""
        return self.vectors


def embedding_layers(n_waves: int, width: int) -> list[nn.Module]:
    """Returns the layers from sinusoids to an embedding: linear, SiLU, linear."""
    return [nn.Linear(n_waves, width), nn.SiLU(), nn.Linear(width, width)]


def gaussian_energy(total: Tensor, squares: Tensor, mean: Tensor, variance: Tensor, n: int) -> Tensor:
    """Returns Σ (x_i − m)²/2v + (n/2) log v, nats, from Σ x_i and Σ x_i²; shapes broadcast."""
    return (squares - 2 * mean * total + n * mean**2) / (2 * variance) + n / 2 * variance.log()


class LevelBase(nn.Module):
    """b_t, learned, plus the energy of a Gaussian at each level if asked for: it tells levels apart from the start.

    Neither looks at the features, so the direction of those of ½‖f‖² stays free for a latent head. Offsets are learned
    in a unit of nats that may be large: levels of images differ by thousands.
    """

    means: Tensor
    variances: Tensor

    def __init__(self, config: LevelConditionedConfig | LevelHeadConfig, level: Level, temperature: float) -> None:
        super().__init__()
        self.unit, self.temperature = config.offset, temperature
        self.offset = nn.Parameter(torch.zeros(level.n_values, device=level.scales.device)) if self.unit else None
        self.gaussian = config.base == "gaussian"
        self.register_buffer("means", config.base_mean * level.scales, persistent=False)
        self.register_buffer("variances", (config.base_sd * level.scales) ** 2 + level.spreads**2, persistent=False)

    def at(self, point: Point) -> Tensor:
        """Returns the energies [B], nats, each row at its own level."""
        total, squares = _sums(point.x)
        return self._energies(total, squares, point.aux[LEVEL], point.x[0].numel())

    def all(self, x: Tensor) -> Tensor:
        """Returns the energies, nats, of x [B, *event] at every level: to be broadcast against [B, T + 1]."""
        total, squares = _sums(x)
        return self._energies(total[:, None], squares[:, None], slice(None), x[0].numel())

    def _energies(self, total: Tensor, squares: Tensor, level: Tensor | slice, n: int) -> Tensor:
        value = torch.zeros_like(self.means[level])
        if self.offset is not None:
            value = value + self.unit * self.offset[level]
        if self.gaussian:
            energy = gaussian_energy(total, squares, self.means[level], self.variances[level], n)
            value = value + self.temperature * energy
        return value


def _sums(x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns Σ x_i and Σ x_i² [B]."""
    flat = at_least_fp32(x.flatten(1))
    return flat.sum(dim=1), flat.square().sum(dim=1)


def level_of(point: Point, part: str) -> Tensor:
    """Returns the level [B] of a point; raises CapabilityError where it has none."""
    if LEVEL not in point.aux:
        have = ", ".join(point.aux) or "no coordinate"
        raise CapabilityError(
            f"{part} gives the energy of (x, level), but the point has: {have}. Add --coordinate level."
        )
    return point.aux[LEVEL]


def level_coordinate(context: BuildContext, part: str) -> Level:
    """Returns the built coordinate; raises CapabilityError where the run has another one of that name, or none."""
    level = context.coordinate(LEVEL)
    if not isinstance(level, Level):
        raise CapabilityError(f"{part} needs the coordinate 'level' of ebmkit-diffusion, found {type(level).__name__}.")
    return level

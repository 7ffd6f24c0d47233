"""What a network hears of the level, and what the energy of a level is before the network has learnt anything."""

from __future__ import annotations

from math import log

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from ebmkit import BuildContext, CapabilityError, Point
from ebmkit_diffusion.level import LEVEL, Level
from ebmkit_diffusion.level_gaussians import IsotropicGaussians, PcaGaussians
from ebmkit_diffusion.wrapper_declarations import LevelConditionedConfig, LevelHeadConfig


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


class LevelBase(nn.Module):
    """b_t, learned, plus the energy of a Gaussian at each level if asked for: it tells levels apart from the start.

    Neither looks at the features, so the direction of those of ½‖f‖² stays free for a latent head. Offsets are learned
    in a unit of nats that may be large: levels of images differ by thousands.
    """

    free: Tensor

    def __init__(
        self,
        config: LevelConditionedConfig | LevelHeadConfig,
        level: Level,
        gaussians: IsotropicGaussians | PcaGaussians | None,
        temperature: float,
    ) -> None:
        super().__init__()
        free = torch.ones(level.n_values, device=level.scales.device)
        free[-1] = 0 if config.pin_last else 1
        self.register_buffer("free", free, persistent=False)
        self.unit, self.temperature = config.offset, temperature
        self.offset = nn.Parameter(torch.zeros_like(free)) if self.unit else None
        self.gaussians, self.pinned, self.over_sd = gaussians, config.pin_last, config.network == "over-sd"

    def at(self, point: Point) -> Tensor:
        """Returns the energies [B], nats, each row at its own level."""
        level = point.aux[LEVEL]
        value = self._offsets()[level]
        return value if self.gaussians is None else value + self.temperature * self.gaussians.at(point.x, level)

    def all(self, x: Tensor) -> Tensor:
        """Returns the energies, nats, of x [B, *event] at every level: to be broadcast against [B, T + 1]."""
        value = self._offsets()
        return value if self.gaussians is None else value + self.temperature * self.gaussians.all(x)

    @torch.no_grad()
    def drawn(self, point: Point, rng: Generator) -> Tensor | None:
        """Returns x [B, *event] of rows at a pinned last level, whose law is that of the base; None elsewhere."""
        level = point.aux[LEVEL]
        known = self.pinned and self.gaussians is not None and bool((level == len(self.free) - 1).all())
        return self.gaussians.draw(point.x, level, rng) if known and self.gaussians is not None else None

    def network_scales(self) -> Tensor | None:
        """Returns by what the energy of the network is multiplied [T + 1]; None for 1 everywhere."""
        if self.over_sd and self.gaussians is not None:
            return self.free / self.gaussians.least_sds()
        return self.free if self.pinned else None

    def _offsets(self) -> Tensor:
        return torch.zeros_like(self.free) if self.offset is None else self.unit * self.free * self.offset


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

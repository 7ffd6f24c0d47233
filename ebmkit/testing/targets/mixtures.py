"""Known mixtures of Gaussians: two modes of unequal weight, and a joint law of x and the level that it belongs to."""

from __future__ import annotations

import math
from statistics import NormalDist

import torch
from torch import Generator, Tensor

from ebmkit.point import Point
from ebmkit.testing.law import Discrete, Law, Statistic, entry

# --- two modes of unequal weight in two dimensions

_MODE, _WIDTH, _LEFT = torch.tensor([1.5, 0.0]), 0.6, 0.75


def two_mode_energy(point: Point) -> Tensor:
    """−log of three quarters of one mode and a quarter of the other, up to a constant."""
    left = _LEFT * torch.exp(-(point.x + _MODE.to(point.x)).square().sum(dim=1) / (2 * _WIDTH**2))
    right = (1 - _LEFT) * torch.exp(-(point.x - _MODE.to(point.x)).square().sum(dim=1) / (2 * _WIDTH**2))
    return -torch.log(left + right + 1e-30)


def _draw_modes(n: int, rng: Generator, ratio: float = 1.0) -> Tensor:
    """Returns n draws of Σ (wᵢNᵢ)^(1/τ), up to a constant: the law itself at τ = 1."""
    left, right = _LEFT ** (1 / ratio), (1 - _LEFT) ** (1 / ratio)
    sign = torch.where(torch.rand(n, 1, generator=rng) < left / (left + right), -1.0, 1.0)
    moved: Tensor = sign * _MODE
    return moved + math.sqrt(ratio) * _WIDTH * torch.randn(n, 2, generator=rng)


def _draw_hot_modes(point: Point, ratio: float, rng: Generator) -> Tensor:
    """Returns draws of (Σ wᵢNᵢ)^(1/τ) [B, 2], by rejection: it is below Σ (wᵢNᵢ)^(1/τ), and above half of that."""
    kept = torch.empty(0, 2)
    while len(kept) < len(point):
        tried = _draw_modes(2 * len(point), rng, ratio)
        gap = (_LEFT / (1 - _LEFT)) * torch.exp(-2 * tried[:, 0] * float(_MODE[0]) / _WIDTH**2)
        share = (1 + gap) ** (1 / ratio) / (1 + gap ** (1 / ratio))
        share = torch.where(gap.isinf(), 1.0, share)
        kept = torch.cat([kept, tried[torch.rand(len(tried), generator=rng) < share]])
    return kept[: len(point)]


_beyond = NormalDist().cdf(1.5 / _WIDTH)
two_modes = Law(
    name="two-modes",
    energy=two_mode_energy,
    draw=lambda n, rng: Point(x=_draw_modes(n, rng)),
    draw_hot=_draw_hot_modes,
    statistics={
        "weight of the left mode": (
            lambda point: (point.x[:, 0] < 0).float(),
            _LEFT * _beyond + (1 - _LEFT) * (1 - _beyond),
        ),
        "mean across": (entry(0), -0.75),
        "square across": (entry(0, 2), 2.25 + _WIDTH**2),
        "fourth power across": (entry(0, 4), 1.5**4 + 6 * 2.25 * _WIDTH**2 + 3 * _WIDTH**4),
        "mean along": (entry(1), 0.0),
        "square along": (entry(1, 2), _WIDTH**2),
    },
    event_shape=(2,),
    step=0.5,
)

# --- a joint law of x and a level

_CENTRES, _WIDTHS = torch.tensor([-1.0, 0.0, 1.5]), torch.tensor([0.4, 1.0, 0.7])
_WEIGHTS = torch.tensor([0.5, 0.3, 0.2])


class JointEnergy:
    """−log of w_t N(x; μ_t, σ_t² I) in two dimensions, up to a constant."""

    abilities = frozenset({"levels.level"})

    def __call__(self, point: Point) -> Tensor:
        """Returns E(x, t) [B], nats."""
        return self.levels(point).gather(1, point.aux["level"][:, None])[:, 0]

    def levels(self, point: Point, name: str = "level") -> Tensor:
        """Returns E(x, t) of every t [B, 3], nats."""
        centres, widths, weights = (t.to(point.x) for t in (_CENTRES, _WIDTHS, _WEIGHTS))
        squares = (point.x[:, :, None] - centres).square().sum(dim=1)
        return squares / (2 * widths**2) + 2 * widths.log() - weights.log()


def _at_levels(level: Tensor, rng: Generator, ratio: float = 1.0) -> Tensor:
    noise = math.sqrt(ratio) * torch.randn(len(level), 2, generator=rng)
    return _CENTRES[level][:, None] + _WIDTHS[level][:, None] * noise


def _draw_joint(n: int, rng: Generator) -> Point:
    level = torch.multinomial(_WEIGHTS, n, replacement=True, generator=rng)
    return Point(x=_at_levels(level, rng), aux={"level": level})


def at_level(level: int, power: int) -> Statistic:
    """Returns the first entry of x to a power where the level is this one, else 0."""
    return lambda point: (point.aux["level"] == level) * point.x[:, 0] ** power


joint = Law(
    name="joint",
    energy=JointEnergy(),
    draw=_draw_joint,
    draw_hot=lambda point, ratio, rng: _at_levels(point.aux["level"], rng, ratio),
    statistics={
        **{f"weight of level {t}": (at_level(t, 0), float(_WEIGHTS[t])) for t in range(3)},
        **{f"mean at level {t}": (at_level(t, 1), float(_WEIGHTS[t] * _CENTRES[t])) for t in range(3)},
        **{
            f"square at level {t}": (at_level(t, 2), float(_WEIGHTS[t] * (_CENTRES[t] ** 2 + _WIDTHS[t] ** 2)))
            for t in range(3)
        },
    },
    event_shape=(2,),
    step=0.5,
    coordinates=(Discrete(name="level", n_values=3),),
)

"""Known laws of real-valued x: Gaussian, two modes, ring, box with mass at its walls, joint with a level, image."""

from __future__ import annotations

from statistics import NormalDist

import torch
from torch import Generator, Tensor

from ebmkit.point import Point
from ebmkit.testing.law import Discrete, Law, Statistic, entry

# --- a correlated Gaussian in 10 dimensions

_SCALES = torch.linspace(0.5, 1.5, 10, dtype=torch.float64)
_LAGS = (torch.arange(10)[:, None] - torch.arange(10)).abs().double()
COVARIANCE = _SCALES[:, None] * 0.6**_LAGS * _SCALES
_ROOT, _PRECISION = torch.linalg.cholesky(COVARIANCE), torch.linalg.inv(COVARIANCE)


def half_square(point: Point) -> Tensor:
    """The energy ½xᵀΣ⁻¹x."""
    energy: Tensor = (point.x @ _PRECISION.to(point.x) * point.x).sum(dim=1) / 2
    return energy


gaussian = Law(
    name="gaussian",
    energy=half_square,
    draw=lambda n, rng: Point(x=(torch.randn(n, 10, generator=rng, dtype=torch.float64) @ _ROOT.T).float()),
    statistics={
        "mean of entry 0": (entry(0), 0.0),
        "mean of entry 9": (entry(9), 0.0),
        "square of entry 0": (entry(0, 2), float(COVARIANCE[0, 0])),
        "square of entry 9": (entry(9, 2), float(COVARIANCE[9, 9])),
        "product of entries 4 and 5": (lambda point: point.x[:, 4] * point.x[:, 5], float(COVARIANCE[4, 5])),
        "energy": (half_square, 5.0),
    },
    event_shape=(10,),
    step=0.5,
)

# --- two modes of unequal weight in two dimensions

_MODE, _WIDTH, _LEFT = torch.tensor([1.5, 0.0]), 0.6, 0.75


def two_mode_energy(point: Point) -> Tensor:
    """−log of three quarters of one mode and a quarter of the other, up to a constant."""
    left = _LEFT * torch.exp(-(point.x + _MODE.to(point.x)).square().sum(dim=1) / (2 * _WIDTH**2))
    right = (1 - _LEFT) * torch.exp(-(point.x - _MODE.to(point.x)).square().sum(dim=1) / (2 * _WIDTH**2))
    return -torch.log(left + right + 1e-30)


def _draw_two_modes(n: int, rng: Generator) -> Point:
    sign = torch.where(torch.rand(n, 1, generator=rng) < _LEFT, -1.0, 1.0)
    return Point(x=sign * _MODE + _WIDTH * torch.randn(n, 2, generator=rng))


_beyond = NormalDist().cdf(1.5 / _WIDTH)
two_modes = Law(
    name="two-modes",
    energy=two_mode_energy,
    draw=_draw_two_modes,
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

# --- exponentials cut off at the walls of a box

_RATES = torch.tensor([-3.0, 0.5, 2.0])


def _box_moment(rate: float, power: int) -> float:
    grid = torch.linspace(0, 1, 20001, dtype=torch.float64)
    density = torch.exp(-rate * grid)
    return float(torch.trapezoid(density * grid**power, grid) / torch.trapezoid(density, grid))


box = Law(
    name="box",
    energy=lambda point: (point.x * _RATES.to(point.x)).sum(dim=1),
    draw=lambda n, rng: Point(x=-torch.log1p(-torch.rand(n, 3, generator=rng) * (1 - torch.exp(-_RATES))) / _RATES),
    statistics={
        f"entry {i} to the power {k}": (entry(i, k), _box_moment(float(_RATES[i]), k)) for i in range(3) for k in (1, 2)
    },
    event_shape=(3,),
    step=0.3,
    value_range=(0.0, 1.0),
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


def _draw_joint(n: int, rng: Generator) -> Point:
    level = torch.multinomial(_WEIGHTS, n, replacement=True, generator=rng)
    noise = torch.randn(n, 2, generator=rng)
    return Point(x=_CENTRES[level][:, None] + _WIDTHS[level][:, None] * noise, aux={"level": level})


def at_level(level: int, power: int) -> Statistic:
    """Returns the first entry of x to a power where the level is this one, else 0."""
    return lambda point: (point.aux["level"] == level) * point.x[:, 0] ** power


joint = Law(
    name="joint",
    energy=JointEnergy(),
    draw=_draw_joint,
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

# --- a Gaussian of the shape of an image

_PIXEL = torch.linspace(0.5, 2.0, 16).view(1, 4, 4)

image = Law(
    name="image",
    energy=lambda point: (point.x / _PIXEL.to(point.x)).square().flatten(1).sum(dim=1) / 2,
    draw=lambda n, rng: Point(x=_PIXEL * torch.randn(n, 1, 4, 4, generator=rng)),
    statistics={
        "mean of the first pixel": (entry(0), 0.0),
        "square of the first pixel": (entry(0, 2), 0.25),
        "square of the last pixel": (entry(15, 2), 4.0),
        "energy": (lambda point: (point.x / _PIXEL).square().flatten(1).sum(dim=1) / 2, 8.0),
    },
    event_shape=(1, 4, 4),
    step=0.5,
)

# --- a ring in the plane

_RADII = torch.linspace(0, 4, 40_001, dtype=torch.float64)
_ROUND = _RADII * torch.exp(-((_RADII - 1.5) ** 2) / (2 * 0.3**2))


def ring_energy(point: Point) -> Tensor:
    """(‖x‖ − 1.5)²/(2 · 0.3²)."""
    energy: Tensor = (point.x.norm(dim=1) - 1.5) ** 2 / (2 * 0.3**2)
    return energy


def _draw_ring(n: int, rng: Generator) -> Point:
    share, chance = _ROUND.cumsum(0) / _ROUND.sum(), torch.rand(n, generator=rng, dtype=torch.float64)
    radius = _RADII[torch.searchsorted(share, chance).clamp(max=len(_RADII) - 1)]
    angle = 2 * torch.pi * torch.rand(n, generator=rng, dtype=torch.float64)
    return Point(x=(radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)).float())


def _radial(power: int) -> float:
    return float((_ROUND * _RADII**power).sum() / _ROUND.sum())


ring = Law(
    name="ring",
    energy=ring_energy,
    draw=_draw_ring,
    statistics={
        "mean across": (entry(0), 0.0),
        "mean along": (entry(1), 0.0),
        "square across": (entry(0, 2), _radial(2) / 2),
        "radius": (lambda point: point.x.norm(dim=1), _radial(1)),
        "square of the radius": (lambda point: point.x.square().sum(dim=1), _radial(2)),
    },
    event_shape=(2,),
    step=0.4,
)

LAWS = (gaussian, two_modes, ring, box, joint, image)

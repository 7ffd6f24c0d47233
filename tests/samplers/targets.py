"""Known laws: an energy, exact draws and exact expectations of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import torch
from torch import Generator, Tensor

from ebmkit import BuildContext, Point
from ebmkit.data.lattice import ising_energy, listed, potts_energy
from ebmkit.ops.discrete import decoded
from ebmkit.point import XValues

Statistic = Callable[[Point], Tensor]


@dataclass(frozen=True, kw_only=True)
class Discrete:
    """The least that a sampler must know of a discrete coordinate."""

    name: str
    n_values: int | None
    noises_x: bool = False
    leaves_data: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Law:
    """p ∝ exp(−E), with n exact draws and statistics [B] of known expectation."""

    name: str
    energy: Any
    draw: Callable[[int, Generator], Point]
    statistics: Mapping[str, tuple[Statistic, float]]
    event_shape: tuple[int, ...]
    step: float
    value_range: tuple[float, float] | None = None
    x_values: XValues = "real"
    coordinates: tuple[Discrete, ...] = ()

    def context(self, temperature: float = 1.0) -> BuildContext:
        return BuildContext(
            event_shape=self.event_shape,
            value_range=self.value_range,
            x_values=self.x_values,
            coordinates=self.coordinates,
            temperature=temperature,
        )

    def z_scores(self, point: Point) -> dict[str, float]:
        """Returns how many standard errors the mean of each statistic over independent rows is off."""
        scores = {}
        for name, (statistic, expected) in self.statistics.items():
            values = statistic(point).double()
            scores[name] = float((values.mean() - expected) / (values.std() / len(values) ** 0.5))
        return scores

    def threshold(self, false_alarm: float = 1e-4) -> float:
        """Returns the largest |z| that an exact sampler passes in all statistics but with this probability."""
        return NormalDist().inv_cdf(1 - false_alarm / (2 * len(self.statistics)))


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def entry(i: int, power: int = 1) -> Statistic:
    return lambda point: point.x.flatten(1)[:, i] ** power


# --- a correlated Gaussian in 10 dimensions

_SCALES = torch.linspace(0.5, 1.5, 10, dtype=torch.float64)
_LAGS = (torch.arange(10)[:, None] - torch.arange(10)).abs().double()
COVARIANCE = _SCALES[:, None] * 0.6**_LAGS * _SCALES
_ROOT, _PRECISION = torch.linalg.cholesky(COVARIANCE), torch.linalg.inv(COVARIANCE)


def half_square(point: Point) -> Tensor:
    """The energy ½xᵀΣ⁻¹x."""
    return (point.x @ _PRECISION.to(point.x) * point.x).sum(dim=1) / 2


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
        return self.levels(point).gather(1, point.aux["level"][:, None])[:, 0]

    def levels(self, point: Point, name: str = "level") -> Tensor:
        centres, widths, weights = (t.to(point.x) for t in (_CENTRES, _WIDTHS, _WEIGHTS))
        squares = (point.x[:, :, None] - centres).square().sum(dim=1)
        return squares / (2 * widths**2) + 2 * widths.log() - weights.log()


def _draw_joint(n: int, rng: Generator) -> Point:
    level = torch.multinomial(_WEIGHTS, n, replacement=True, generator=rng)
    noise = torch.randn(n, 2, generator=rng)
    return Point(x=_CENTRES[level][:, None] + _WIDTHS[level][:, None] * noise, aux={"level": level})


def at_level(level: int, power: int) -> Statistic:
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

LAWS = (gaussian, two_modes, box, joint, image)

# --- lattices all of whose states are listed


def _lattice(name: str, states: Tensor, energy: Callable[[Tensor], Tensor], values: XValues) -> Law:
    share = torch.softmax(-energy(states.double()), dim=0)
    statistics: dict[str, Statistic] = {
        "first entry": entry(0),
        "last entry": entry(-1),
        "energy": lambda point: energy(point.x.double()),
        "square of the energy": lambda point: energy(point.x.double()).square(),
        "first two sites alike": lambda point: (point.x[:, 0] * point.x[:, 1]).flatten(1).sum(dim=1),
    }
    return Law(
        name=name,
        energy=lambda point: energy(point.x),
        draw=lambda n, rng: Point(x=states[torch.multinomial(share, n, replacement=True, generator=rng)]),
        statistics={
            key: (value, float((share * value(Point(x=states)).double()).sum())) for key, value in statistics.items()
        },
        event_shape=tuple(states.shape[1:]),
        step=1.0,
        value_range=(0.0, 1.0),
        x_values=values,
    )


ising = _lattice("ising", listed(2, 6).float().view(-1, 2, 3), lambda x: ising_energy(x[:, None], 0.3, 0.2), "binary")
potts = _lattice(
    "potts", decoded(listed(3, 4), "one-hot", None, 3, torch.float32), lambda x: potts_energy(x, 0.6, 0.3), "one-hot"
)
DISCRETE_LAWS = (ising, potts)

# --- ½x² + ½cos 2x in one dimension: not Gaussian, and no step below 2 diverges on it

_GRID = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
_SHARE = torch.exp(-_GRID.square() / 2 - torch.cos(2 * _GRID) / 2)
WAVY_COSINE = float((_SHARE * torch.cos(2 * _GRID)).sum() / _SHARE.sum())


class WavyView:
    """The view of ½x² + ½cos 2x, with its gradient written out."""

    precision, captures = "fp32", False

    def live(self, point: Point) -> Tensor:
        return (point.x.square() + torch.cos(2 * point.x)).sum(dim=1) / 2

    energy = live

    def levels(self, point: Point, name: str = "level") -> Tensor:
        raise NotImplementedError

    def gradient(self, point: Point) -> Tensor:
        return point.x - torch.sin(2 * point.x)

    def energy_and_gradient(self, point: Point) -> tuple[Tensor, Tensor]:
        return self.energy(point), self.gradient(point)


def draw_wavy(n: int, rng: Generator) -> Tensor:
    """Returns n exact draws [n, 1]."""
    share = _SHARE.cumsum(0) / _SHARE.sum()
    place = torch.searchsorted(share, torch.rand(n, generator=rng, dtype=torch.float64))
    return _GRID[place.clamp(max=len(_GRID) - 1)][:, None].float()

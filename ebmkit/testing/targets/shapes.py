"""Known laws of other shapes: a ring, a box with mass at its walls, and images of noise."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ebmkit.point import Point
from ebmkit.testing.law import Law, entry

# --- a ring in the plane

_RADIUS, _THICKNESS = 1.5, 0.3


def ring_energy(point: Point) -> Tensor:
    """(‖x‖ − 1.5)²/(2 · 0.3²)."""
    energy: Tensor = (point.x.norm(dim=1) - _RADIUS) ** 2 / (2 * _THICKNESS**2)
    return energy


def _radii(ratio: float = 1.0) -> tuple[Tensor, Tensor]:
    """Returns a grid of radii, and the share of the law^(1/τ) at each."""
    radii = torch.linspace(0, _RADIUS + 8 * ratio**0.5 * _THICKNESS, 40_001, dtype=torch.float64)
    share = radii * torch.exp(-((radii - _RADIUS) ** 2) / (2 * _THICKNESS**2 * ratio))
    return radii, share / share.sum()


def _draw_ring(n: int, rng: Generator, ratio: float = 1.0) -> Tensor:
    radii, share = _radii(ratio)
    chance = torch.rand(n, generator=rng, dtype=torch.float64)
    radius = radii[torch.searchsorted(share.cumsum(0), chance).clamp(max=len(radii) - 1)]
    angle = 2 * torch.pi * torch.rand(n, generator=rng, dtype=torch.float64)
    return (radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)).float()


def _radial(power: int) -> float:
    radii, share = _radii()
    return float((share * radii**power).sum())


ring = Law(
    name="ring",
    energy=ring_energy,
    draw=lambda n, rng: Point(x=_draw_ring(n, rng)),
    draw_hot=lambda point, ratio, rng: _draw_ring(len(point), rng, ratio),
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

# --- exponentials cut off at the walls of a box

_RATES = torch.tensor([-3.0, 0.5, 2.0])


def _box_moment(rate: float, power: int) -> float:
    grid = torch.linspace(0, 1, 20001, dtype=torch.float64)
    density = torch.exp(-rate * grid)
    return float(torch.trapezoid(density * grid**power, grid) / torch.trapezoid(density, grid))


def _draw_box(n: int, rng: Generator, ratio: float = 1.0) -> Tensor:
    rates = _RATES / ratio
    return -torch.log1p(-torch.rand(n, 3, generator=rng) * (1 - torch.exp(-rates))) / rates


box = Law(
    name="box",
    energy=lambda point: (point.x * _RATES.to(point.x)).sum(dim=1),
    draw=lambda n, rng: Point(x=_draw_box(n, rng)),
    draw_hot=lambda point, ratio, rng: _draw_box(len(point), rng, ratio),
    statistics={
        f"entry {i} to the power {k}": (entry(i, k), _box_moment(float(_RATES[i]), k)) for i in range(3) for k in (1, 2)
    },
    event_shape=(3,),
    step=0.3,
    value_range=(0.0, 1.0),
)

# --- images of noise

noise = Law(
    name="noise",
    energy=lambda point: 0 * point.x.flatten(1).sum(dim=1),
    draw=lambda n, rng: Point(x=torch.rand(n, 3, 16, 16, generator=rng)),
    draw_hot=lambda point, ratio, rng: torch.rand(len(point), 3, 16, 16, generator=rng),
    statistics={"mean of the first entry": (entry(0), 0.5), "square of the last entry": (entry(-1, 2), 1 / 3)},
    event_shape=(3, 16, 16),
    step=0.3,
    value_range=(0.0, 1.0),
)
"""Each entry uniform in [0, 1]: where an augmentation is looked at, which needs images."""

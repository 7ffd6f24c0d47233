"""Known Gaussian laws: a correlated one in ten dimensions, and one of the shape of an image."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ebmkit.point import Point
from ebmkit.testing.law import Law, entry

# --- correlated, in ten dimensions

_SCALES = torch.linspace(0.5, 1.5, 10, dtype=torch.float64)
_LAGS = (torch.arange(10)[:, None] - torch.arange(10)).abs().double()
COVARIANCE = _SCALES[:, None] * 0.6**_LAGS * _SCALES
_ROOT, _PRECISION = torch.linalg.cholesky(COVARIANCE), torch.linalg.inv(COVARIANCE)


def half_square(point: Point) -> Tensor:
    """The energy ½xᵀΣ⁻¹x."""
    energy: Tensor = (point.x @ _PRECISION.to(point.x) * point.x).sum(dim=1) / 2
    return energy


def _draw(n: int, rng: Generator) -> Tensor:
    drawn: Tensor = torch.randn(n, 10, generator=rng, dtype=torch.float64) @ _ROOT.T
    return drawn.float()


gaussian = Law(
    name="gaussian",
    energy=half_square,
    draw=lambda n, rng: Point(x=_draw(n, rng)),
    draw_hot=lambda point, ratio, rng: ratio**0.5 * _draw(len(point), rng),
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

# --- of the shape of an image

_PIXEL = torch.linspace(0.5, 2.0, 16).view(1, 4, 4)


def _draw_image(n: int, rng: Generator) -> Tensor:
    return _PIXEL * torch.randn(n, 1, 4, 4, generator=rng)


def image_energy(point: Point) -> Tensor:
    """½ Σ (x/σ)², each pixel of its own width."""
    return (point.x / _PIXEL.to(point.x)).square().flatten(1).sum(dim=1) / 2


image = Law(
    name="image",
    energy=image_energy,
    draw=lambda n, rng: Point(x=_draw_image(n, rng)),
    draw_hot=lambda point, ratio, rng: ratio**0.5 * _draw_image(len(point), rng),
    statistics={
        "mean of the first pixel": (entry(0), 0.0),
        "square of the first pixel": (entry(0, 2), 0.25),
        "square of the last pixel": (entry(15, 2), 4.0),
        "energy": (image_energy, 8.0),
    },
    event_shape=(1, 4, 4),
    step=0.5,
)

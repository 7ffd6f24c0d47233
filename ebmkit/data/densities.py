"""Densities in the plane: exact draws and log densities."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

N_GAUSSIANS = 8
N_CELLS = 4
"""Cells along a side of the checkerboard, every other one of which is filled."""
ROWS = 4_096
"""Points whose distances from all points of the moons are held at a time."""


def draw_rings(n: int, rng: Generator, *, radius: float, sd: float, n_rings: int) -> tuple[Tensor, Tensor]:
    """Returns n points x [n, 2] of `log_density_rings`, data units, and the ring [n] of each."""
    ring = _choice(n_rings, n, rng)
    angle = 2.0 * math.pi * _uniform((n,), rng)
    on_ring = _polar(radius * (ring + 1) / n_rings, angle)
    return on_ring + sd * _normal((n, 2), rng), ring


def log_density_rings(x: Tensor, *, radius: float, sd: float, n_rings: int) -> Tensor:
    """Returns log p [B], nats, at x [B, 2]: equally likely concentric circles, with Gaussian noise of s.d. sd.

    With ring radii r_k = k radius / n_rings and r = |x|,
    p(x) = mean_k (2π sd²)⁻¹ exp(-(r² + r_k²) / 2 sd²) I₀(r r_k / sd²).
    """
    r = x.norm(dim=1, keepdim=True)
    rings = radius * torch.arange(1, n_rings + 1, device=x.device, dtype=x.dtype) / n_rings
    # i0e(z) = exp(-z) I₀(z) completes the square and does not overflow.
    bessel = torch.special.i0e(r * rings / sd**2).log()
    log_p = bessel - (r - rings).square() / (2.0 * sd**2) - math.log(2.0 * math.pi * sd**2)
    return torch.logsumexp(log_p, dim=1) - math.log(n_rings)


def draw_eight_gaussians(n: int, rng: Generator, *, radius: float, sd: float) -> tuple[Tensor, Tensor]:
    """Returns n points x [n, 2] of `log_density_eight_gaussians`, data units, and the mode [n] of each."""
    mode = _choice(N_GAUSSIANS, n, rng)
    return eight_centres(radius)[mode.cpu()].to(mode.device) + sd * _normal((n, 2), rng), mode


def log_density_eight_gaussians(x: Tensor, *, radius: float, sd: float) -> Tensor:
    """Returns log p [B], nats, at x [B, 2]: eight equally likely Gaussians of s.d. sd on a circle."""
    squares = (x[:, None] - eight_centres(radius).to(x)).square().sum(dim=2)
    log_p = -squares / (2.0 * sd**2) - math.log(2.0 * math.pi * sd**2)
    return torch.logsumexp(log_p, dim=1) - math.log(N_GAUSSIANS)


def eight_centres(radius: float) -> Tensor:
    """Returns the means [8, 2], data units, of the eight Gaussians."""
    angle = 2.0 * math.pi * torch.arange(N_GAUSSIANS) / N_GAUSSIANS
    return _polar(torch.full((N_GAUSSIANS,), radius), angle)


def draw_checkerboard(n: int, rng: Generator, *, radius: float) -> tuple[Tensor, Tensor]:
    """Returns n points x [n, 2] of `log_density_checkerboard`, data units, and the filled cell [n] of each."""
    cell = _choice(N_CELLS * N_CELLS // 2, n, rng)
    row = cell // (N_CELLS // 2)
    column = 2 * (cell % (N_CELLS // 2)) + row % 2
    corner = torch.stack([column, row], dim=1)
    return radius * (2.0 * (corner + _uniform((n, 2), rng)) / N_CELLS - 1.0), cell


def log_density_checkerboard(x: Tensor, *, radius: float) -> Tensor:
    """Returns log p [B], nats, at x [B, 2]: uniform on every other cell of [-radius, radius]², -inf elsewhere."""
    cell = torch.floor((x / radius + 1.0) * (N_CELLS / 2))
    is_inside = ((cell >= 0) & (cell < N_CELLS)).all(dim=1)
    is_filled = is_inside & (cell.sum(dim=1) % 2 == 0)
    log_p = torch.full_like(x[:, 0], -math.log(2.0 * radius**2))
    return torch.where(is_filled, log_p, -math.inf)


def draw_moons(n: int, rng: Generator, *, radius: float, sd: float) -> tuple[Tensor, Tensor]:
    """Returns n points x [n, 2], data units, of two interleaved half circles with Gaussian noise, and the moon of each.

    The figure is centred and without noise has the half-width `radius`.
    """
    moon = _choice(2, n, rng)
    arc = _first_moon(math.pi * _uniform((n,), rng), radius)
    # The second moon is the first one turned by 180 degrees about the centre.
    arc = torch.where(moon[:, None] == 0, arc, -arc)
    return arc + sd * _normal((n, 2), rng), moon


def log_density_moons(x: Tensor, *, radius: float, sd: float) -> Tensor:
    """Returns log p [B], nats, at x [B, 2]: the mean of Gaussians of s.d. sd along both half circles.

    The integral along a half circle is a sum over points on it, a quarter of an s.d. apart: the error is below 1e-3
    nats where there are data.
    """
    n_points = max(64, math.ceil(4 * math.pi * radius / 1.5 / sd))
    angle = math.pi * (torch.arange(n_points, device=x.device, dtype=x.dtype) + 0.5) / n_points
    arc = _first_moon(angle, radius)
    centres = torch.cat([arc, -arc])
    squares = [torch.cdist(rows, centres).square() for rows in torch.split(x, ROWS)]
    log_p = torch.cat([torch.logsumexp(-square / (2.0 * sd**2), dim=1) for square in squares])
    return log_p - math.log(len(centres)) - math.log(2.0 * math.pi * sd**2)


def _first_moon(angle: Tensor, radius: float) -> Tensor:
    circle = _polar(torch.ones_like(angle), angle)
    return (circle - torch.tensor([0.5, 0.25]).to(circle)) * (radius / 1.5)


def _polar(r: Tensor, angle: Tensor) -> Tensor:
    return r[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)


def _choice(k: int, n: int, rng: Generator) -> Tensor:
    return torch.randint(k, (n,), generator=rng, device=rng.device)


def _uniform(shape: tuple[int, ...], rng: Generator) -> Tensor:
    return torch.rand(shape, generator=rng, device=rng.device)


def _normal(shape: tuple[int, ...], rng: Generator) -> Tensor:
    return torch.randn(shape, generator=rng, device=rng.device)

"""Densities integrate to one, and draws follow them."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ebmkit.data import densities

CASES = {
    "rings": (partial(densities.draw_rings, n_rings=3), partial(densities.log_density_rings, n_rings=3), True),
    "eight-gaussians": (densities.draw_eight_gaussians, densities.log_density_eight_gaussians, True),
    "moons": (densities.draw_moons, densities.log_density_moons, True),
    "checkerboard": (densities.draw_checkerboard, densities.log_density_checkerboard, False),
}


def grid(half_width, n=400):
    """Returns the midpoints [n², 2] of a square grid, and the area of a cell."""
    side = (torch.arange(n, dtype=torch.float64) + 0.5) / n * 2 * half_width - half_width
    return torch.cartesian_prod(side, side), (2 * half_width / n) ** 2


def integral(log_density, half_width):
    points, area = grid(half_width)
    return (log_density(points).exp().sum() * area).item()


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(sorted(CASES)), st.floats(0.5, 4.0), st.floats(0.1, 1.0))
def test_densities_integrate_to_one(name, radius, sd):
    _, log_density, has_noise = CASES[name]
    law = partial(log_density, radius=radius, **({"sd": sd} if has_noise else {}))
    half_width = radius + 6 * sd if has_noise else radius * 1.25  # 400 / 1.25 cells: edges fall between midpoints
    assert integral(law, half_width) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("name", sorted(CASES))
def test_draws_follow_the_density(name):
    draw, log_density, has_noise = CASES[name]
    settings = {"radius": 2.0, **({"sd": 0.25} if has_noise else {})}
    x, _ = draw(20_000, torch.Generator().manual_seed(0), **settings)
    points, area = grid(4.0)
    p = log_density(points, **settings).exp()
    for f in (lambda x: x[:, 0] ** 2, lambda x: (3 * x[:, 1]).cos(), lambda x: ((x[:, 0] > 0) & (x[:, 1] > 1)).float()):
        wanted, values = (p * f(points)).sum() * area, f(x.double())
        assert abs(values.mean() - wanted) < 4 * values.std() / math.sqrt(20_000)


@pytest.mark.parametrize("name", sorted(CASES))
def test_mean_log_density_of_draws_is_minus_the_entropy(name):
    draw, log_density, has_noise = CASES[name]
    settings = {"radius": 2.0, **({"sd": 0.25} if has_noise else {})}
    x, _ = draw(20_000, torch.Generator().manual_seed(1), **settings)
    points, area = grid(4.0)
    log_p = log_density(points, **settings)
    wanted = torch.xlogy(log_p.exp(), log_p.exp()).sum() * area
    values = log_density(x, **settings)
    assert abs(values.mean() - wanted) < 4 * values.std() / math.sqrt(20_000) + 1e-4


def test_rings_are_gaussians_about_circles_far_from_the_centre():
    x = torch.tensor([[50.0, 0.0], [0.0, 50.1]], dtype=torch.float64)
    log_p = densities.log_density_rings(x, radius=50.0, sd=0.1, n_rings=1)
    flat = -math.log(math.sqrt(2 * math.pi) * 0.1 * 2 * math.pi * 50.0)
    assert log_p.tolist() == pytest.approx([flat, flat - 0.5], abs=2e-3)


def test_rings_have_a_finite_score_everywhere():
    x = torch.cat([torch.zeros(1, 2), torch.randn(50, 2, generator=torch.Generator().manual_seed(0)) * 30])
    x.requires_grad_()
    (score,) = torch.autograd.grad(densities.log_density_rings(x, radius=2.0, sd=0.05, n_rings=2).sum(), x)
    assert score.isfinite().all()


@given(st.integers(0, 200), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_checkerboard_draws_lie_where_the_density_is_positive(n, seed):
    x, cell = densities.draw_checkerboard(n, torch.Generator().manual_seed(seed), radius=3.0)
    assert x.shape == (n, 2) and densities.log_density_checkerboard(x, radius=3.0).isfinite().all()
    assert ((cell >= 0) & (cell < 8)).all()


def test_checkerboard_is_zero_outside():
    x = torch.tensor([[3.1, 0.1], [-0.1, -3.1], [0.1, 0.1], [0.1, -0.1]])
    assert densities.log_density_checkerboard(x, radius=3.0).isfinite().tolist() == [False, False, True, False]


def test_moons_are_each_others_half_turn_and_fill_the_half_width():
    x, moon = densities.draw_moons(20_000, torch.Generator().manual_seed(0), radius=3.0, sd=1e-6)
    assert x[:, 0].abs().max() == pytest.approx(3.0, abs=1e-2)
    for half, centre in ((0, (-1.0, -0.5)), (1, (1.0, 0.5))):
        r = (x[moon == half] - torch.tensor(centre)).norm(dim=1)
        assert r.sub(2.0).abs().max() < 1e-4
    assert (x[moon == 0, 1] >= -0.5001).all() and (x[moon == 1, 1] <= 0.5001).all()

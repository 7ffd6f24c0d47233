"""Mirrors at the walls: reversible, exact, and what lets images in a box move at all."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit import BuildContext, Point
from ebmkit.assembly.build import build
from ebmkit.samplers import mala
from ebmkit.samplers.reflection import mirrored
from ebmkit.views.view import view

WALLS = (-1.0, 2.0)


@given(seed=st.integers(0, 1000), speed=st.floats(0.01, 30))
def test_turning_the_momentum_leads_back(seed: int, speed: float) -> None:
    rng = torch.Generator().manual_seed(seed)
    x = (torch.rand(50, generator=rng) * 3 - 1).double()
    p = (torch.randn(50, generator=rng) * speed).double()
    there, sign = mirrored(x + p, WALLS)
    assert ((there >= -1) & (there <= 2)).all()
    back, again = mirrored(there - sign * p, WALLS)
    assert torch.allclose(back, x, atol=1e-9) and torch.equal(again, sign)


def test_what_is_inside_stays_to_the_last_bit_and_what_is_not_finite_stays_so() -> None:
    x = torch.tensor([-1.0, 0.1, 2.0, torch.inf, torch.nan])
    folded, sign = mirrored(x, WALLS)
    assert torch.equal(folded[:3], x[:3]) and not folded[3:].isfinite().any() and (sign[:3] == 1).all()
    assert mirrored(x, None)[0] is x


def slope(point: Point) -> torch.Tensor:
    """p(x) ∝ exp(−2x₁) on [0, 1]², so that most chains are near a wall."""
    return 2 * point.x[:, 0]


def drawn(n: int, seed: int) -> torch.Tensor:
    u = torch.rand(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    first = -torch.log1p(-u[:, 0] * (1 - torch.exp(torch.tensor(-2.0)))) / 2
    return torch.stack([first, u[:, 1]], dim=1).float()


def z_of_the_mean(name: str) -> float:
    context = BuildContext(event_shape=(2,), value_range=(0.0, 1.0))
    more = {"mala": {}, "hmc": {"n_leapfrog": 3}, "nuts": {"max_depth": 3}}[name]
    sampler = build("sampler", name, context=context, step_size=0.9, moves=6, **more)
    state = sampler.init(Point(x=drawn(40_000, 1)), torch.Generator().manual_seed(2))
    state, info = sampler.step(view(slope), state)
    assert info.accept_rate.mean() > 0.3
    x = state.point.x[:, 0].double()
    exact = 0.5 - 1 / (torch.e**2 - 1)
    return float((x.mean() - exact) / (x.std() / 200))


@pytest.mark.parametrize("name", ["mala", "hmc", "nuts"])
def test_chains_near_walls_keep_their_law(name: str) -> None:
    assert abs(z_of_the_mean(name)) < 4


def test_a_bounce_that_does_not_turn_the_gradient_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mala, "bounced", lambda value, sign: value)
    assert abs(z_of_the_mean("mala")) > 6


@pytest.mark.parametrize("name", ["mala", "hmc"])
def test_images_in_a_box_move(name: str) -> None:
    context = BuildContext(event_shape=(1, 28, 28), value_range=(0.0, 1.0))
    sampler = build("sampler", name, context=context, step_size=0.02, moves=2)
    start = Point(x=torch.rand(20, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    state, info = sampler.step(
        view(lambda p: (p.x - 0.5).square().flatten(1).sum(1)), sampler.init(start, torch.Generator())
    )
    assert info.accept_rate.mean() > 0.8 and (state.point.x != start.x).flatten(1).any(dim=1).float().mean() > 0.8

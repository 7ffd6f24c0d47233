"""Mirrors at the walls: reversible, exact, and what lets images in a box move at all."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit import BuildContext, Point, Tail
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


# --- moves that are not adjusted

STEEP_MEAN = 1 / (1 - math.exp(-3)) - 1 / 3


class Steep:
    """The view of p(x) ∝ exp(3x) on [0, 1], with its gradient written out."""

    precision, captures = "fp32", False

    def energy(self, point: Point) -> torch.Tensor:
        return -3 * point.x[:, 0]

    live = energy

    def gradient(self, point: Point) -> torch.Tensor:
        return torch.full_like(point.x, -3.0)

    def energy_and_gradient(self, point: Point) -> tuple[torch.Tensor, torch.Tensor]:
        return self.energy(point), self.gradient(point)


def steep_draws(name: str, step_size: float, n: int = 20_000, moves: int = 150) -> tuple[float, float]:
    """Returns the bias of the mean in the sampler's own law, and the largest share of chains exactly on a wall."""
    context = BuildContext(event_shape=(1,), value_range=(0.0, 1.0))
    sampler: Any = build("sampler", name, context=context, moves=1, step_size=step_size)
    u = torch.rand(n, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start = Point(x=(torch.log1p(u * (math.exp(3) - 1)) / 3).float())
    state, total, walled = sampler.init(start, torch.Generator().manual_seed(1)), 0.0, 0.0
    for i in range(moves + 30):
        state, _ = sampler.step(Steep(), state)
        x = state.point.x
        total += float(x.mean(dtype=torch.float64)) * (i >= 30)
        walled = max(walled, float(((x == 0) | (x == 1)).float().mean()))
    return total / moves - STEEP_MEAN, walled


@pytest.mark.parametrize(
    ("name", "order", "biases"),
    [
        ("underdamped", 2, {0.2: -0.031, 0.1: -0.008, 0.05: -0.0025}),
        ("sgld", 1, {0.02: -0.028, 0.01: -0.0142, 0.005: -0.0073}),
    ],
)
def test_near_walls_the_bias_keeps_its_order_and_no_chain_sits_on_one(
    name: str, order: int, biases: dict[float, float]
) -> None:
    """Clamped, the biases at these steps are .139, .079, .041 and .081, .059, .043, a fifth of the draws on a wall."""
    found = {step: steep_draws(name, step) for step in biases}
    assert build("sampler", name).traits.bias_order == order
    for step, (bias, walled) in found.items():
        assert abs(bias - biases[step]) < 0.0015 and walled < 5e-4
    (large, first), *_, (small, last) = ((step, bias) for step, (bias, _) in found.items())
    assert abs(math.log(first / last) / math.log(large / small) - order) < 0.4


@pytest.mark.parametrize(("name", "cold"), [("sgld", 5e-9), ("underdamped", 5e-9)])
def test_walls_are_mirrors_where_there_is_a_law_to_keep_and_clamps_where_chains_just_descend(
    name: str, cold: float
) -> None:
    bounded = BuildContext(event_shape=(1,), value_range=(0.0, 1.0))
    assert build("sampler", name, context=bounded).walls.mirror
    assert not build("sampler", name, context=bounded.replace(temperature=cold)).walls.mirror
    assert build("sampler", name, context=bounded.replace(temperature=cold), bounds="mirror").walls.mirror
    assert build("sampler", name).walls is None


def test_published_settings_are_clamped_in_any_context() -> None:
    bounded = BuildContext(event_shape=(1,), value_range=(0.0, 1.0))
    assert not build("sampler", "sgld", context=bounded, step_size=100.0, noise=0.001).walls.mirror


@pytest.mark.parametrize("name", ["sgld", "underdamped"])
def test_a_tail_goes_through_a_bounce(name: str) -> None:
    """The gradient of the end in a parameter of the energy agrees with finite differences where entries bounced."""
    context = BuildContext(event_shape=(50,), value_range=(0.0, 1.0), dtype=torch.float64)
    sampler: Any = build("sampler", name, context=context, moves=1, step_size=0.2, bounds="mirror")
    start = Point(x=torch.rand(1, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64))

    def end(slope: torch.Tensor, tail: Tail | None = None) -> torch.Tensor:
        seen = view(lambda p: slope * p.x.square().sum(dim=1))
        state, _ = sampler.step(seen, sampler.init(start, torch.Generator().manual_seed(1)), tail=tail)
        x: torch.Tensor = state.point.x
        return x

    slope = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(end(slope, Tail()).sum(), slope)
    apart = float(end(slope.detach() + 1e-6).sum() - end(slope.detach() - 1e-6).sum()) / 2e-6
    straight = build("sampler", name, context=context, moves=1, step_size=0.2, bounds="off")
    free, _ = straight.step(
        view(lambda p: 1.5 * p.x.square().sum(dim=1)), straight.init(start, torch.Generator().manual_seed(1))
    )
    assert ((free.point.x < 0) | (free.point.x > 1)).sum() >= 5, "entries bounce"
    assert float(found) == pytest.approx(apart, rel=1e-5)

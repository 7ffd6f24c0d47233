"""Exactness of core's samplers beyond what the kit of `ebmkit.testing` looks at."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ebmkit import BuildContext, Point
from ebmkit.errors import EbmkitError
from ebmkit.plugins.host import host
from ebmkit.testing.check import CheckFailed
from ebmkit.testing.examined import Examined
from ebmkit.testing.invariance import stays_in
from ebmkit.testing.law import seeded
from ebmkit.testing.starts import fitting
from ebmkit.testing.targets import gaussian, image
from tests.samplers.doubles import DOUBLES, broken
from tests.samplers.registry import (
    AnyShape,
    built,
    context_of,
    discrete,
    fits,
    moved,
    samplers,
    start_of,
    stepped,
)

# --- exactness


@pytest.mark.parametrize("double", DOUBLES)
def test_invariance_refuses_a_broken_double(double: str) -> None:
    with broken(double) as name, pytest.raises(CheckFailed, match="standard errors off"):
        stays_in(Examined(component=host().get("sampler", name)), gaussian)


@pytest.mark.parametrize("name", samplers("sampler.exact"))
def test_every_exact_sampler_has_a_law(name: str) -> None:
    fitting(Examined(component=host().get("sampler", name)), 2)


PICTURE = torch.linspace(0.5, 2.0, 784).view(1, 28, 28)


@pytest.mark.parametrize("name", [n for n in stepped("sampler.exact") if fits(n, image)])
def test_images_stay_in_their_law(name: str) -> None:
    """1 × 28 × 28 independent pixels with their own widths."""
    start, step = Point(x=PICTURE * torch.randn(400, 1, 28, 28, generator=seeded(0))), 0.15
    sampler = built(name, step, BuildContext(event_shape=(1, 28, 28)))
    state, info = moved(sampler, lambda p: (p.x / PICTURE).square().flatten(1).sum(dim=1) / 2, start, 1, transitions=3)
    squares = (state.point.x / PICTURE).square().flatten(1)
    z = (squares.mean(dim=0) - 1) / (2 / 400) ** 0.5
    assert abs(float(squares.mean() - 1)) < 4 * (2 / squares.numel()) ** 0.5 and z.abs().max() < 6
    assert 0.3 < info.accept_rate.mean() < 1 and not torch.equal(state.point.x, start.x)


@pytest.mark.parametrize("name", ["mala", "hmc", "tempering"])
def test_small_steps_are_accepted(name: str) -> None:
    rates = [
        moved(built(name, step), gaussian.energy, gaussian.draw(500, seeded(0)))[1].accept_rate.mean()
        for step in (1e-3, 0.4, 0.9)
    ]
    assert rates[0] > 0.999 and rates[0] > rates[1] > rates[2]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["mala", "hmc", "nuts"])
def test_a_row_whose_proposals_have_no_finite_energy_keeps_its_x(name: str, value: float) -> None:
    start = start_of(name, 200, (2,)).x
    start[:, 0] = -start[:, 0].abs() if not discrete(name) else 0
    point = start_of(name, 200, (2,)).replace(x=start)
    state, info = moved(built(name, context=context_of((2,))), Forbidden(value), point)
    assert 0 < info.accept_rate.mean() < 1
    stuck = info.accept_rate == 0
    assert torch.equal(state.point.x[stuck], start[stuck])


class Forbidden(AnyShape):
    """½‖x‖², and another value right of 0."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, point: Point) -> torch.Tensor:
        return torch.where(point.x[:, 0] > 0, self.value, super().__call__(point))


# --- settings


class Stretched:
    """E(ax): the energy of another law in coordinates that are a times shorter."""

    def __init__(self, energy: Any, scale: torch.Tensor) -> None:
        self.energy, self.scale = energy, scale

    def __call__(self, point: Point) -> torch.Tensor:
        value: torch.Tensor = self.energy(point.replace(x=point.x * self.scale))
        return value


SCALED = [
    n for n in samplers("sampler.exact", "sampler.unadjusted") if hasattr(host().get("sampler", n).config(), "scale")
]


@pytest.mark.parametrize("name", SCALED)
def test_a_diagonal_preconditioner_is_a_change_of_units(name: str) -> None:
    scale = torch.linspace(0.5, 1.5, 10, dtype=torch.float64)
    start, context = gaussian.draw(300, seeded(0)), gaussian.context().replace(dtype=torch.float64)
    start = start.replace(x=start.x.double())
    scaled, _ = moved(built(name, 0.3, context, scale=tuple(scale.tolist())), gaussian.energy, start, 1, 3)
    plain, _ = moved(
        built(name, 0.3, context), Stretched(gaussian.energy, scale), start.replace(x=start.x / scale), 1, 3
    )
    assert torch.allclose(scaled.point.x, plain.point.x * scale, atol=1e-6) and not torch.equal(start.x, scaled.point.x)


@pytest.mark.parametrize("step_size", [0.0, -0.1, math.nan, math.inf])
@pytest.mark.parametrize("name", stepped("sampler.exact", "sampler.unadjusted"))
def test_a_step_that_is_not_positive_is_refused_when_built(name: str, step_size: float) -> None:
    with pytest.raises(EbmkitError, match="step_size"):
        built(name, context=context_of((2,)), step_size=step_size)

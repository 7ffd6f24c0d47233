"""Laws of contrastive divergence."""

from math import log
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, Point
from ebmkit.protocols.objective import Objective, Phases

CD = build("objective", "cd")


class Gaussian(nn.Module):
    """E = k(x − m)²/2 in one dimension, nats."""

    def __init__(self, k: float, m: float) -> None:
        super().__init__()
        self.k, self.m = (nn.Parameter(torch.tensor(v, dtype=torch.float64)) for v in (k, m))

    def forward(self, point: Point) -> Tensor:
        return self.k * (point.x[:, 0] - self.m).square() / 2


def phases(energy: nn.Module, positive: Tensor, negative: Tensor) -> Phases:
    return Phases(energy=energy, batch=Batch(x=positive), positive=Point(x=positive), negative=Point(x=negative))


@settings(max_examples=25)
@given(k=st.floats(0.1, 3), m=st.floats(-2, 2), n=st.integers(1, 5), other=st.integers(1, 5), seed=st.integers(0, 99))
def test_the_gradient_is_the_difference_of_two_means(k: float, m: float, n: int, other: int, seed: int) -> None:
    draw, energy = torch.Generator().manual_seed(seed), Gaussian(k, m)
    x, y = (torch.randn(rows, 1, generator=draw, dtype=torch.float64) for rows in (n, other))
    losses = CD.losses(energy, phases(energy, x, y))
    by_k, by_m = torch.autograd.grad(losses["gap"], [energy.k, energy.m])
    assert float(by_k) == pytest.approx(float(((x - m).square().mean() - (y - m).square().mean()) / 2), abs=1e-9)
    assert float(by_m) == pytest.approx(float(k * (y.mean() - x.mean())), abs=1e-9)


def test_it_is_the_gradient_of_the_negative_log_likelihood() -> None:
    """With exact chains, ∂/∂k of −log p is (E_data − E_model)[∂E/∂k] = (v − 1/k)/2 for data of variance v."""
    k, n, variance = 2.0, 200_000, 0.8
    draw, energy = torch.Generator().manual_seed(0), Gaussian(k, 0.0)
    x, y = (s * torch.randn(n, 1, generator=draw, dtype=torch.float64) for s in (variance**0.5, k**-0.5))
    (by_k,) = torch.autograd.grad(CD.losses(energy, phases(energy, x, y))["gap"], energy.k)
    assert float(by_k) == pytest.approx((variance - 1 / k) / 2, abs=4 * (variance + 1 / k) / (2 * n) ** 0.5)


def test_it_needs_negatives_and_no_graph() -> None:
    assert isinstance(CD, Objective) and CD.requires.negatives and CD.requires.tail_moves == 0


# --- weights and trimmed means


class Level:
    """The least that is to be known of a coordinate that noises x."""

    name, n_values, noises_x, leaves_data = "level", 3, True, True


LEVELS: Any = BuildContext(coordinates=(Level(),))


def gap(settings: dict[str, Any], up: Tensor, down: Tensor, *, levels: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Returns the loss of rows whose energies are these."""
    objective = build("objective", "cd", context=LEVELS if levels else None, **settings)
    points = [Point(x=e[:, None]) for e in (up, down)]
    if levels is not None:
        points = [point.with_aux(level=level) for point, level in zip(points, levels, strict=True)]
    shown = Phases(energy=lambda p: p.x[:, 0], batch=Batch(x=up[:, None]), positive=points[0], negative=points[1])
    found: Tensor = objective.losses(None, shown)["gap"]
    return found


@settings(max_examples=40)
@given(
    n=st.integers(1, 30), lowest=st.floats(0, 0.45), highest=st.floats(0, 0.45), weight=st.floats(0.1, 5),
    seed=st.integers(0, 999),
)  # fmt: skip
def test_a_trimmed_mean_is_that_of_the_chains_between(
    n: int, lowest: float, highest: float, weight: float, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    up, down = (torch.randn(n, generator=draw, dtype=torch.float64) for _ in range(2))
    rows = sorted(down.tolist())[int(lowest * n + 1e-6) : n - int(highest * n + 1e-6)]
    expected = weight * (float(up.mean()) - sum(rows) / len(rows))
    found = gap({"weight": weight, "trim_lowest": lowest, "trim_highest": highest}, up, down)
    assert float(found) == pytest.approx(expected, abs=1e-9)


def test_each_level_is_trimmed_by_itself_and_weighs_as_before() -> None:
    down, level = torch.tensor([0.0, 1.0, 2.0, 30.0, 100.0, 101.0]), torch.tensor([0, 0, 0, 0, 2, 2])
    found = gap({"trim_highest": 0.25}, torch.zeros(6), down, levels=(level, level))
    assert float(found) == pytest.approx(-(4 * 1.0 + 2 * 100.5) / 6, rel=1e-6)
    alone = gap({"trim_highest": 0.25}, torch.zeros(6), down)
    assert float(alone) != pytest.approx(float(found), rel=1e-3), "the double: all levels in one heap"


def test_levels_weigh_as_asked_in_both_phases() -> None:
    up, down = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0])
    levels = torch.tensor([0, 1, 2]), torch.tensor([2, 1])
    found = gap({"level_weights": [1.0, 0.5, 0.0], "weight": 2.0}, up, down, levels=levels)
    assert float(found) == pytest.approx(2 * ((1 + 1 + 0) / 3 - (0 + 2.5) / 2))


@pytest.mark.parametrize(
    ("settings", "variance"),
    [
        ({}, 1.0),
        ({"trim_highest": 0.1}, 1 / (1 - 0.1 * log(10) / 0.9)),
        ({"trim_lowest": 0.1}, 1 / (1 - log(0.9))),
    ],
    ids=str,
)
def test_the_fixed_point_is_biased_as_it_is_said(settings: dict[str, Any], variance: float) -> None:
    """In the plane E of a Gaussian model is exponential, so the variance over that of the data is a closed form."""
    n, objective = 200_000, build("objective", "cd", **settings)
    draw = torch.Generator().manual_seed(1)
    x, y = (torch.randn(n, 2, generator=draw, dtype=torch.float64) for _ in range(2))

    def pull(k: float) -> float:
        stiff = torch.tensor(k, dtype=torch.float64, requires_grad=True)
        shown = phases(lambda p: stiff * p.x.square().sum(dim=1) / 2, x, y / k**0.5)  # type: ignore[arg-type]
        return float(torch.autograd.grad(objective.losses(None, shown)["gap"], stiff)[0])

    assert abs(pull(1 / variance)) < 0.01
    assert abs(pull(1.0)) > 0.05 or variance == 1.0, "the double: data and model alike"


def test_what_it_says_of_its_loss_is_so() -> None:
    assert CD.traits.contrasts == {"gap"} and not build("objective", "cd", trim_lowest=0.1).traits.contrasts
    x = torch.arange(20.0)
    assert float(gap({}, x, x)) == 0 and float(gap({"trim_lowest": 0.1}, x, x)) != 0


def test_bad_weights_and_shares_are_refused() -> None:
    with pytest.raises(RecipeError, match="weight"):
        build("objective", "cd", weight=0.0)
    with pytest.raises(CapabilityError, match="every chain"):
        build("objective", "cd", trim_lowest=0.5, trim_highest=0.5)
    with pytest.raises(CapabilityError, match="this run has none"):
        build("objective", "cd", level_weights=[1.0])
    with pytest.raises(CapabilityError, match="has 2 numbers, and level has 3 values"):
        build("objective", "cd", context=LEVELS, level_weights=[1.0, 2.0])
    with pytest.raises(CapabilityError, match="all 0"):
        build("objective", "cd", context=LEVELS, level_weights=[0.0, 0.0, 0.0])
    with pytest.raises(RecipeError, match="level_weights"):
        build("objective", "cd", context=LEVELS, level_weights=[1.0, -1.0, 1.0])

"""Laws of the energy penalty, and of the bound above which it has no fixed point."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebmkit.assembly.build import build
from ebmkit.coordinates.label import Label
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.objectives.declarations.contrastive import largest_alpha
from ebmkit.objectives.energy_l2 import level_means
from ebmkit.ops.groups import joint_level
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, Point
from ebmkit.protocols.objective import Phases


def test_the_penalty_is_the_mean_square_of_both_phases() -> None:
    x, y = torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [2.0], [5.0]])
    step = Phases(energy=lambda p: p.x[:, 0], batch=Batch(x=x), positive=Point(x=x), negative=Point(x=y))
    losses = build("objective", "energy-l2", context=BuildContext(temperature=1e-8), alpha=0.5).losses(None, step)
    assert set(losses) == {"penalty"} and float(losses["penalty"]) == pytest.approx(0.5 * (5 + 11))


@pytest.mark.parametrize(("d", "bound"), [(64, 0.052), (784, 0.013), (2, 0.33)])
def test_the_bound_is_that_of_the_design(d: int, bound: float) -> None:
    assert largest_alpha(d) == pytest.approx(bound, rel=0.03)


def fixed_points(alpha: float, d: int) -> int:
    """Counts the precisions k at which the gradient of CD + αL2 vanishes, for E = k‖x‖²/2 + c, unit data, T = 1.

    Stationarity in c fixes it: E⁺ + E⁻ = 0 on average. With s = 1/k, and E[‖x‖⁴] = v²(d² + 2d), the one in k is
    (1 − s)d/2 + α·∂/∂k{...} = 0; a sign change on a fine grid of s is a fixed point.
    """
    s = torch.logspace(-0.5, 4, 20_000, dtype=torch.float64)
    k = 1 / s
    c = -(k * d / 2 + d / 2) / 2
    data = d * (1 - s) / 2  # the gradient of CD
    fourth = d**2 + 2 * d
    penalty = (k * fourth / 2 + c * d) + (k * fourth * s**2 / 2 + c * d * s)  # of E⁺² + E⁻², chains held constant
    slope = data + alpha * penalty
    return int((slope[1:] * slope[:-1] < 0).sum())


@pytest.mark.parametrize("d", [2, 64, 784])
def test_above_the_bound_a_gaussian_has_no_fixed_point(d: int) -> None:
    assert fixed_points(0.9 * largest_alpha(d), d) >= 1
    assert fixed_points(1.1 * largest_alpha(d), d) == 0


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
def test_at_temperature_one_the_bound_is_kept(shape: tuple[int, ...]) -> None:
    context = BuildContext(event_shape=shape, temperature=1.0)
    bound = largest_alpha(int(torch.tensor(shape).prod()))
    assert build("objective", "energy-l2", context=context, alpha=0.99 * bound).alpha == 0.99 * bound
    with pytest.raises(CapabilityError, match="alpha"):
        build("objective", "energy-l2", context=context, alpha=1.01 * bound)
    assert build("objective", "energy-l2", context=context.replace(temperature=5e-9)).alpha == 1.0
    with pytest.raises(RecipeError):
        build("objective", "energy-l2", alpha=0.0)


# --- a penalty for each level


class Level:
    """The least that the penalty must know of a level."""

    noises_x = True
    leaves_data = True

    def __init__(self, name: str = "level", n_values: int = 3) -> None:
        self.name, self.n_values = name, n_values


def levelled(energy: Any, x: Tensor, y: Tensor, up: Tensor, down: Tensor, *names: str) -> Phases:
    positive = Point(x=x, aux=dict.fromkeys(names or ("level",), up))
    negative = Point(x=y, aux=dict.fromkeys(names or ("level",), down))
    return Phases(energy=energy, batch=Batch(x=x), positive=positive, negative=negative)


def centred_l2(alpha: float = 0.1, d: int = 2) -> Any:
    context = BuildContext(event_shape=(d,), temperature=1.0, coordinates=(Level(),))
    return build("objective", "energy-l2", context=context, alpha=alpha)


@settings(max_examples=25)
@given(n=st.integers(1, 6), m=st.integers(1, 6), seed=st.integers(0, 999))
def test_the_offset_of_each_level_is_free_and_is_the_best_one(n: int, m: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(k, 2, generator=draw, dtype=torch.float64) for k in (n, m))
    up, down = (torch.randint(3, (k,), generator=draw) for k in (n, m))
    offset = torch.randn(3, generator=draw, dtype=torch.float64)

    def penalty(c: Tensor, objective: Any) -> Tensor:
        phases = levelled(lambda p: p.x.square().sum(dim=1) + c[p.aux["level"]], x, y, up, down)
        value: Tensor = objective.losses(None, phases)["penalty"]
        return value

    free = penalty(torch.zeros(3).double(), centred_l2())
    torch.testing.assert_close(penalty(100 * offset, centred_l2()), free)
    plain = build("objective", "energy-l2", context=BuildContext(event_shape=(2,)), alpha=0.1)
    assert penalty(offset, plain) >= free - 1e-12, "no offset makes the plain penalty smaller"
    assert penalty(offset, plain) > free + 1e-6 or n + m < 2, "the double: it is not free of the offset"


@settings(max_examples=25)
@given(n=st.integers(1, 6), m=st.integers(1, 6), seed=st.integers(0, 999))
def test_no_gradient_is_lost_by_holding_the_centre(n: int, m: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    up, down = (torch.randint(3, (k,), generator=draw) for k in (n, m))
    energies = [torch.randn(k, generator=draw, dtype=torch.float64).requires_grad_() for k in (n, m)]

    def penalty(*energies: Tensor) -> Tensor:
        centre = level_means(energies[0], energies[1], up, down, 3)
        return (energies[0] - centre[up]).square().mean() + (energies[1] - centre[down]).square().mean()

    assert torch.autograd.gradcheck(penalty, energies)


def test_several_levels_are_centred_together() -> None:
    a, b = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    point = Point(x=torch.zeros(4, 1), aux={"a": a, "b": b})
    assert joint_level(point, {"a": 2, "b": 2}).tolist() == [0, 1, 2, 3]
    context = BuildContext(event_shape=(2,), coordinates=(Level("a", 2), Level("b", 5)), temperature=1.0)
    assert build("objective", "energy-l2", context=context, alpha=0.1).levels == {"a": 2, "b": 5}


def test_a_coordinate_that_leaves_x_alone_is_no_level() -> None:
    context = BuildContext(coordinates=(Label(3),), n_classes=3)
    assert build("objective", "energy-l2", context=context, alpha=0.1).levels == {}


def rings(n: int = 1024) -> Tensor:
    """Returns [n, 2] whose squared norms are quantiles of those of a standard Gaussian in the plane."""
    squared = -2 * torch.log1p(-(torch.arange(n, dtype=torch.float64) + 0.5) / n)
    return torch.stack([squared.sqrt(), torch.zeros_like(squared)], dim=1)


def trained_precision(alpha: float, steps: int = 400) -> float:
    """Trains E = k‖x‖²/2 + c_t on unit data at two levels with the core's objectives; chains are exact, and held."""
    log_k, c = torch.zeros((), dtype=torch.float64, requires_grad=True), torch.tensor([0.0, 7.0]).double()
    data, level = rings(), torch.arange(1024) % 2
    optimiser = torch.optim.Adam([log_k], lr=0.05)
    parts = [build("objective", "cd"), centred_l2(alpha)]
    for _ in range(steps):
        chains = data / log_k.detach().exp().sqrt()
        energy = lambda p: log_k.exp() * p.x.square().sum(dim=1) / 2 + c[p.aux["level"]]  # noqa: E731
        phases = levelled(energy, data, chains, level, level)
        optimiser.zero_grad()
        torch.stack([loss for part in parts for loss in part.losses(None, phases).values()]).sum().backward()
        optimiser.step()
    return float(log_k.detach().exp())


def test_below_the_bound_training_ends_at_a_variance_and_above_it_runs_away() -> None:
    bound = largest_alpha(2)
    below = trained_precision(0.5 * bound)
    assert 0.2 < below < 1 and trained_precision(0.5 * bound, steps=800) == pytest.approx(below, rel=1e-2)
    with pytest.MonkeyPatch.context() as patch:  # what is refused is built all the same, to see what would become of it
        patch.setattr("ebmkit.objectives.declarations.contrastive.largest_alpha", lambda d: torch.inf)
        early, late = (1 / trained_precision(1.5 * bound, steps) for steps in (200, 400))
    assert early > 20 and late > 100 * early, "the variance of the model grows without end"

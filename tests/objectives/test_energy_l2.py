"""Laws of the energy penalty, and of the bound above which it has no fixed point."""

import pytest
import torch

from ebmkit.building import build
from ebmkit.components import BuildContext
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.objectives.parts import largest_alpha
from ebmkit.phases import Phases
from ebmkit.point import Batch, Point


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

"""Score matching has its minimum at the score of data; the exact trace is that of many directions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError
from ebmkit.objectives.sliced import axes, score_matching
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, Point
from ebmkit.protocols.objective import Phases
from ebmkit.rng import stream

N = 2_000
SD = torch.tensor([0.5, 2.0], dtype=torch.float64)


def gradient(k: Tensor, projections: int, temperature: float = 1.0) -> Tensor:
    """Returns the gradient of the loss in the precisions k of E = Σ k_i x_i²/2, for normal data of s.d. SD."""
    z = torch.randn(N, 2, generator=stream(0, 0, "x"), dtype=torch.float64)
    x = SD * z / z.square().mean(dim=0).sqrt()  # of exactly this s.d.
    k = k.clone().requires_grad_()

    def energy(point: Point) -> Tensor:
        return (k * point.x.square()).sum(dim=1) / 2

    context = BuildContext(temperature=temperature)
    objective = build("objective", "sliced-score-matching", context=context, projections=projections)
    phases = Phases(energy=energy, batch=Batch(x=x), positive=Point(x=x), rng=lambda part: stream(0, 1, part))
    objective.losses(energy, phases)["score"].backward()
    assert k.grad is not None
    return k.grad


@pytest.mark.parametrize("projections", [0, 1, 4])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_minimum_is_the_precision_of_the_data(projections: int, temperature: float) -> None:
    best = temperature / SD**2
    assert (gradient(best, projections, temperature).abs() * best < 1e-9).all()
    assert (gradient(0.7 * best, projections, temperature) < 0).all()
    assert (gradient(1.4 * best, projections, temperature) > 0).all()


def quartic(x: Tensor) -> Tensor:
    """A score whose Jacobian is no constant: −∇ of Σ x_i⁴/4 + x₀²x₁²/2."""
    return -torch.stack([x[:, 0] ** 3 + x[:, 0] * x[:, 1] ** 2, x[:, 1] ** 3 + x[:, 1] * x[:, 0] ** 2], dim=1)


def test_axes_give_the_exact_trace() -> None:
    x = torch.randn(5, 2, generator=stream(0, 0, "t"), dtype=torch.float64).requires_grad_()
    found = score_matching(quartic(x), x, axes(x)).detach()
    exact = -4 * x.square().sum(dim=1) + quartic(x).square().sum(dim=1) / 2
    torch.testing.assert_close(found, exact.detach())


def test_random_directions_give_the_trace_on_average() -> None:
    x = torch.randn(3, 2, generator=stream(0, 0, "t"), dtype=torch.float64).requires_grad_()
    signs = 2.0 * torch.randint(2, (4_000, 3, 2), generator=stream(0, 1, "t")) - 1
    sliced = score_matching(quartic(x), x, signs.double())
    torch.testing.assert_close(sliced, score_matching(quartic(x), x, axes(x)), rtol=0.05, atol=0.05)


def test_without_the_trace_data_would_want_no_score_at_all() -> None:
    """The double: ½‖S‖² alone has its minimum at S = 0."""
    x = torch.randn(5, 2, generator=stream(0, 0, "t"), dtype=torch.float64).requires_grad_()
    assert (score_matching(quartic(x), x, 0 * axes(x)) >= 0).all()
    assert (score_matching(quartic(x), x, axes(x)) < 0).any()


def test_many_entries_refuse_the_exact_trace() -> None:
    with pytest.raises(CapabilityError, match="784 derivatives"):
        build("objective", "sliced-score-matching", context=BuildContext(event_shape=(1, 28, 28)), projections=0)

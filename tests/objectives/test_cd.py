"""Laws of contrastive divergence."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ebmkit.assembly.build import build
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

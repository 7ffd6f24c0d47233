"""Laws of the gradient in x: with and without its graph, at any point."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ebmkit.errors import CapabilityError
from ebmkit.ops.gradients import energy_and_gradient, leaf, score
from ebmkit.point import Point

WEIGHT = nn.Parameter(torch.tensor([2.0, 3.0]))
POINT = Point(x=torch.tensor([[1.0, 2.0], [0.5, -1.0]]), aux={"label": torch.tensor([0, 1])})


def quartic(point: Point) -> Tensor:
    return (WEIGHT * point.x.pow(4)).sum(dim=1) / 4


@pytest.mark.parametrize("graph", [True, False])
def test_the_gradient_is_that_of_the_energy(graph: bool) -> None:
    energy, gradient = energy_and_gradient(quartic, leaf(POINT), graph=graph)
    torch.testing.assert_close(gradient, WEIGHT * POINT.x**3)
    torch.testing.assert_close(energy, quartic(POINT))
    assert gradient.requires_grad == graph and not POINT.x.requires_grad


def test_with_its_graph_a_gradient_reaches_parameters_and_x() -> None:
    start = leaf(POINT)
    _, gradient = energy_and_gradient(quartic, start, graph=True)
    by_weight, by_x = torch.autograd.grad(gradient.sum(), [WEIGHT, start.x])
    torch.testing.assert_close(by_weight, (POINT.x**3).sum(dim=0))
    torch.testing.assert_close(by_x, 3 * WEIGHT * POINT.x**2)


def test_the_score_is_minus_the_gradient_and_carries_its_graph() -> None:
    found = score(quartic, POINT)
    torch.testing.assert_close(found, -WEIGHT * POINT.x**3)
    assert found.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(score(quartic, POINT), found)


def test_an_energy_without_a_gradient_is_told() -> None:
    with pytest.raises(CapabilityError, match="no gradient in x"):
        energy_and_gradient(lambda point: point.x.detach().sum(dim=1), leaf(POINT), graph=False)

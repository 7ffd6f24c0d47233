"""The graph of the last moves, of every sampler in the registry that keeps one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ebmkit import Point, Tail
from ebmkit.testing.law import seeded
from ebmkit.testing.targets import joint
from tests.samplers.registry import BRISK, built, moved, samplers

TAILED = [name for name in samplers("sampler.tail") if name in BRISK]

# --- the tail


class Shifted(nn.Module):
    """½θ‖x − m‖² with parameters θ and m, plus a quartic that makes the graph of a trajectory matter."""

    abilities = frozenset({"levels.level"})

    def __init__(self) -> None:
        super().__init__()
        self.theta, self.centre = nn.Parameter(torch.tensor(1.5)), nn.Parameter(torch.tensor([0.3, -0.2]))

    def forward(self, point: Point) -> torch.Tensor:
        shifted = point.x - self.centre
        return (self.theta * shifted.square() / 2 + 0.1 * shifted**4).sum(dim=1)

    def levels(self, point: Point, name: str = "level") -> torch.Tensor:
        """The energies of three levels that change nothing."""
        return self(point)[:, None].expand(-1, 3)


@pytest.mark.parametrize("rows", [None, 7])
@pytest.mark.parametrize("moves", [1, 3])
@pytest.mark.parametrize("name", samplers("sampler.tail"))
def test_keeping_the_graph_changes_no_value(name: str, moves: int, rows: int | None) -> None:
    point = Point(x=torch.randn(20, 2, generator=seeded(0)), aux={"level": torch.zeros(20, dtype=torch.int64)})
    sampler, energy = built(name, 0.7, joint.context()), Shifted()
    plain, info = moved(sampler, energy, point, transitions=1)
    kept, its = moved(sampler, energy, point, transitions=1, tail=Tail(moves=moves, rows=rows))
    assert kept.point.x.requires_grad and not plain.point.x.requires_grad
    assert torch.equal(plain.point.x, kept.point.x) and torch.equal(info.accept_rate, its.accept_rate)
    assert torch.equal(plain.rng.get_state(), kept.rng.get_state())
    if rows is not None:
        rest = kept.point.x[rows:].sum()
        assert not rest.requires_grad or not torch.autograd.grad(rest, energy.theta, allow_unused=True)[0]


@pytest.mark.parametrize("name", TAILED)
def test_a_row_carries_a_gradient_just_when_its_proposal_was_accepted(name: str) -> None:
    point, energy = Point(x=2 * torch.randn(30, 2, generator=seeded(0))), Shifted()
    after, info = moved(built(name, 1.3, moves=1), energy, point, tail=Tail(moves=1))
    for row, accepted in enumerate(info.accept_rate):
        (gradient,) = torch.autograd.grad(after.point.x[row].sum(), energy.theta, retain_graph=True)
        assert bool(gradient != 0) == bool(accepted > 0)


@pytest.mark.parametrize("name", TAILED)
def test_the_gradient_of_a_tail_is_the_derivative_of_the_accepted_path(name: str) -> None:
    point, energy, nudge = Point(x=torch.randn(6, 2, generator=seeded(0)).double()), Shifted().double(), 1e-6
    sampler = built(name, 0.6, moves=3)
    after, _ = moved(sampler, energy, point, tail=Tail(moves=3))
    (gradient,) = torch.autograd.grad(after.point.x.sum(), energy.theta)
    with torch.no_grad():
        energy.theta += nudge
    high = moved(sampler, energy, point)[0].point.x.sum()
    with torch.no_grad():
        energy.theta -= 2 * nudge
    low = moved(sampler, energy, point)[0].point.x.sum()
    assert torch.allclose(gradient, (high - low) / (2 * nudge), rtol=1e-5)

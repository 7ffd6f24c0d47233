"""The graph that a sampler keeps of its last moves, against finite differences."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ebmkit.point import Point
from ebmkit.protocols.sampler import Tail
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined
from ebmkit.testing.law import seeded
from ebmkit.testing.starts import Started, fitting
from ebmkit.testing.targets import joint, two_modes
from ebmkit.views.view import view

NUDGE = 1e-6


class Shifted(nn.Module):
    """½θ‖x − m‖² plus a quartic that makes the graph of a trajectory matter; three values of a level change nothing."""

    abilities = frozenset({"levels.level"})

    def __init__(self) -> None:
        super().__init__()
        self.theta, self.centre = nn.Parameter(torch.tensor(1.5)), nn.Parameter(torch.tensor([0.3, -0.2]))

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        shifted = point.x - self.centre
        energy: Tensor = (self.theta * shifted.square() / 2 + 0.1 * shifted**4).sum(dim=1)
        return energy

    def levels(self, point: Point, name: str) -> Tensor:
        """Returns the same for each of three values [B, 3]."""
        energy: Tensor = self(point)
        return energy[:, None].expand(-1, 3)


def graph_of_the_tail(part: Examined) -> None:
    """Raises CheckFailed where a tail changes a value, or its gradient is not that of the path that was taken."""
    start = fitting(part, 12, double=True, laws=(two_modes, joint))
    if start.sampler.traits.tail != "keeps":
        raise NotApplicable(f"it {start.sampler.traits.tail} a tail")
    energy = Shifted().double()
    _look_at_values(start, energy, Tail(moves=1, rows=7))
    kept = _look_at_values(start, energy, Tail(moves=1000))
    gradient = torch.stack([_by_theta(row, energy) for row in kept])
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            energy.theta.add_(sign * NUDGE)
        ends.append(_end(start, energy, None)[0].sum(dim=1))
        with torch.no_grad():
            energy.theta.sub_(sign * NUDGE)
    wanted = (ends[0] - ends[1]) / (2 * NUDGE)
    off = (gradient - wanted).abs() > 1e-6 + 1e-4 * wanted.abs()
    if bool(off.any()):
        row = int(off.nonzero()[0])
        raise CheckFailed(
            f"the gradient of the tail is {float(gradient[row]):.5g} in row {row}, and finite differences of the path "
            f"that was taken give {float(wanted[row]):.5g}. Let accepted moves carry the gradient of the live energy, "
            "rejected ones none."
        )


def _look_at_values(start: Started, energy: Shifted, tail: Tail) -> Tensor:
    """Returns where chains end with a graph; raises CheckFailed where that is elsewhere, or the wrong rows have one."""
    (plain, stream), (kept, its_stream) = _end(start, energy, None), _end(start, energy, tail)
    if not torch.equal(plain, kept.detach()):
        raise CheckFailed("x ended elsewhere when its graph was asked for. Keep the values: add only the graph.")
    if not torch.equal(stream, its_stream):
        raise CheckFailed("it drew more numbers when its graph was asked for. Keep the stream: the next step needs it.")
    if not kept.requires_grad:
        raise CheckFailed("x came back without a graph when a tail was asked for. Keep it, or declare 'refuses'.")
    if tail.rows is not None and bool(torch.stack([_by_theta(row, energy) for row in kept[tail.rows :]]).any()):
        raise CheckFailed(f"rows beyond the first {tail.rows} carry a graph. Tail.rows says whose graph is paid for.")
    return kept


def _by_theta(row: Tensor, energy: Shifted) -> Tensor:
    """Returns the derivative of a row of x, summed, by θ []; 0 where it has no graph."""
    total = row.sum()
    if not total.requires_grad:
        return torch.zeros((), dtype=total.dtype)
    (found,) = torch.autograd.grad(total, energy.theta, retain_graph=True, allow_unused=True)
    return torch.zeros((), dtype=total.dtype) if found is None else found


def _end(start: Started, energy: Shifted, tail: Tail | None) -> tuple[Tensor, Tensor]:
    """Returns x at the end of a transition, and its stream."""
    state = start.sampler.init(start.state.point, seeded(8))
    after = start.sampler.step(view(energy), state, tail=tail)[0]
    return after.point.x, after.rng.get_state()

"""Laws of divergences: every unadjusted sampler that meets no finite energy or gradient says in which move."""

import math
import re
from contextlib import nullcontext
from unittest import mock

import pytest
import torch
from torch._subclasses import FakeTensorMode

import ebmkit
from ebmkit import BuildContext, Point
from ebmkit.assembly.build import build
from ebmkit.errors import DivergenceError
from ebmkit.samplers.nonfinite import explain, finite_rows
from ebmkit.samplers.reflection import clamped
from ebmkit.samplers.sequence import Sequence
from ebmkit.testing.law import seeded
from ebmkit.views.view import view
from tests.samplers.registry import AnyShape, built, context_of, samplers

UNADJUSTED = samplers("sampler.unadjusted")
BAD = [math.nan, math.inf, -math.inf]


class Beyond:
    """½‖x‖² with gradient 0 and another value where the first entry is beyond a wall."""

    def __init__(self, value, wall):
        self.value, self.wall = value, wall

    def __call__(self, point):
        inside = point.x.square().sum(dim=1) / 2
        return torch.where(point.x[:, 0] > self.wall, self.value, inside)


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("name", UNADJUSTED)
def test_an_energy_that_is_not_finite_is_named_with_its_move(name, value):
    """Though its gradient is finite, and the chain would come back by the end of the transition."""
    start = torch.tensor([[-3.0, 0.0], [0.9, 0.0], [-3.0, 0.0]])
    said = rf"not finite after transition \d+; move \d+ of 4 of {name}: 1 of 3 chains met an energy"
    with pytest.raises(DivergenceError, match=said):
        ebmkit.sample(Beyond(value, 1.0), built(name, 0.3), start, transitions=50, seed=3)


@pytest.mark.parametrize("name", UNADJUSTED)
def test_a_box_does_not_hide_it(name):
    """The walls are at the wall, and an infinite step would end there."""
    energy = lambda p: (0.5 - p.x).clamp(min=0).sqrt().sum(dim=1)  # noqa: E731  an infinite gradient at 0.5
    sampler = built(name, 0.1, BuildContext(event_shape=(1,), value_range=(0.0, 1.0)))
    with pytest.raises(DivergenceError, match="met a gradient that is not finite"):
        ebmkit.sample(energy, sampler, torch.full((2, 1), 0.5), transitions=1)


def sliding(step, moves):
    """Each move goes one up: the slope is −1 and there is no noise."""
    return build("sampler", "sgld", moves=moves, step_size=step, noise=0.0)


class Slope:
    def __init__(self, wall):
        self.wall = wall

    def __call__(self, point):
        return torch.where(point.x[:, 0] > self.wall, torch.nan, -point.x[:, 0])


@pytest.mark.parametrize("move", [1, 7, 20])
def test_the_move_is_the_one_that_met_it(move):
    """Move m starts at m − 1, and the gradient that it asks there is the first that is not finite."""
    start = torch.tensor([[0.0], [-50.0], [-50.0]])
    with pytest.raises(DivergenceError, match=f"transition 2; move {move} of 20 of sgld: 1 of 3 chains met an energy"):
        ebmkit.sample(Slope(20 + move - 1.5), sliding(1.0, 20), start, transitions=3)


@pytest.mark.parametrize("move", [1, 4])
def test_the_closing_gradient_of_a_momentum_belongs_to_its_move(move):
    sampler = build("sampler", "underdamped", moves=4, step_size=1.0, friction=1e-12)
    start = Point(x=torch.zeros(1, 1), aux={"momentum": torch.ones(1, 1)})
    reached, energy = [], lambda p: 0 * p.x[:, 0]
    state = sampler.init(start, seeded(0))
    seen = view(lambda p: (reached.append(float(p.x.detach()[0, 0])), energy(p))[1])
    sampler.step(seen, state)
    with pytest.raises(DivergenceError, match=f"move {move} of 4 of underdamped"):
        ebmkit.sample(
            lambda p: torch.where(p.x[:, 0] > move - 0.5, torch.nan, energy(p)), sampler, start, transitions=1
        )
    assert reached == pytest.approx([0.0, 1.0, 2.0, 3.0, 4.0], abs=1e-4)


def test_an_x_that_overflows_is_named():
    with pytest.raises(DivergenceError, match=r"move 2 of 5 of sgld: 2 of 2 chains moved to values"):
        ebmkit.sample(lambda p: -p.x[:, 0], sliding(3e38, 5), torch.zeros(2, 1), transitions=1)
    with pytest.raises(DivergenceError, match=r"move 2 of 2 of sgld: 2 of 2 chains moved to values"):
        ebmkit.sample(lambda p: -p.x[:, 0], sliding(3e38, 2), torch.zeros(2, 1), transitions=1)


@pytest.mark.parametrize("clip", [0.0, 2.0])
def test_a_clip_does_not_hide_it(clip):
    sampler = build("sampler", "sgld", moves=1, step_size=0.1, noise=0.0, clip=clip)
    with pytest.raises(DivergenceError, match="move 1 of 1 of sgld: 1 of 2 chains met a gradient"):
        ebmkit.sample(lambda p: p.x[:, 0].sqrt(), sampler, torch.tensor([[0.0], [1.0]]), transitions=1)


def test_in_a_sequence_the_part_is_named():
    """Langevin goes up to 3 where mala finds its energy; then a second one goes on beyond the wall."""
    parts = [sliding(1.0, 3), build("sampler", "mala", moves=2, step_size=1e-4), sliding(1.0, 5)]
    with pytest.raises(DivergenceError, match=r"move 3 of 5 of sgld: 1 of 1 chains met an energy"):
        ebmkit.sample(Slope(4.5), Sequence(parts), torch.zeros(1, 1), transitions=1)


def test_the_replay_advances_a_copy_and_finds_what_happened():
    sampler, seen = sliding(1.0, 6), view(Slope(2.5))
    state = sampler.init(Point(x=torch.zeros(2, 1)), seeded(5))
    after, info = sampler.step(seen, state)
    assert finite_rows(after.point).tolist() == [False, False]
    again = sampler.init(Point(x=torch.zeros(2, 1)), seeded(5))
    assert explain(sampler, seen, again, info) == "move 4 of 6 of sgld: 2 of 2 chains met an energy that is not finite."


def test_every_real_valued_entry_of_a_row_counts():
    point = Point(x=torch.zeros(3, 2), aux={"momentum": torch.zeros(3, 2), "level": torch.zeros(3, dtype=torch.int64)})
    assert finite_rows(point).all()
    point.aux["momentum"][1, 0] = torch.inf
    point.x[2, 1] = torch.nan
    assert finite_rows(point).tolist() == [True, False, False]


def test_clamping_keeps_what_is_finite_and_tells_what_is_not():
    values = torch.tensor([-2.0, 0.5, 7.0, math.nan, math.inf, -math.inf])
    assert clamped(values, 0.0, 1.0)[:3].tolist() == [0.0, 0.5, 1.0] and clamped(values, 0.0, 1.0)[3:].isnan().all()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gradient_tells_of_an_energy_that_is_not_finite(precision):
    x = torch.tensor([[5.0, 1.0], [1.0, 1.0]])
    for energy in (Beyond(math.inf, 4.0), ebmkit.energy(Beyonder())):
        gradient = view(energy, precision).gradient(Point(x=x))
        assert gradient[0].isnan().all() and torch.equal(gradient[1], x[1])


class Beyonder(torch.nn.Module):
    def forward(self, x):
        return Beyond(math.inf, 4.0)(Point(x=x))


@pytest.mark.parametrize("name", UNADJUSTED)
def test_nobody_looks_inside_the_moves(name):
    reads_no_stream = mock.patch("ebmkit.assembly.build.own_stream_only", lambda *_, **__: nullcontext())
    with FakeTensorMode(), reads_no_stream:
        sampler = built(name, context=context_of((2,), value_range=(0.0, 1.0)))
        state = sampler.init(Point(x=torch.ones(3, 2)), torch.Generator())
        assert sampler.step(view(AnyShape()), state)[0].point.x.shape == (3, 2)


def test_messages_fit_the_names_that_users_type():
    """The class of a sampler is called as its component is."""
    for name in UNADJUSTED:
        shown = re.sub(r"(?<!^)(?=[A-Z])", "-", type(built(name)).__name__).lower()
        assert shown == name

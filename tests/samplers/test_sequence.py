"""Laws of sequence: composition, one tuning and one info a part, one stream, and who owns the tail."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import Composite, Sampler, SamplerInfo, SamplerState, Tail
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.rng import stream
from ebmkit.samplers.sequence import Sequence
from ebmkit.views.view import view

QUADRATIC = torch.nn.Parameter(torch.tensor(1.0))


KEEPS = SamplerTraits(tail="keeps")


class Shift:
    """Adds one draw and its own step size; counts its transitions in its tuning; notes whether it got the tail."""

    def __init__(self, step_size: float = 1.0, traits: SamplerTraits = KEEPS) -> None:
        self.step_size, self.traits = step_size, traits
        self.tails: list[Tail | None] = []

    def init(self, point: Point, rng: torch.Generator, tuning: Any = None) -> SamplerState:
        return SamplerState(point=point, rng=rng, tuning=tuning or {"step_size": torch.tensor(self.step_size)})

    def step(self, view: Any, state: SamplerState, *, tail: Tail | None = None) -> tuple[SamplerState, SamplerInfo]:
        self.tails.append(tail)
        size = state.tuning["step_size"]
        point = state.point
        if self.traits.moves_x:
            point = point.replace(x=point.x + size * torch.rand(point.x.shape, generator=state.rng))
        info = SamplerInfo(
            start=state.point, accept_rate=size.expand(len(point)), n_moves=1, n_gradients=2, n_proposals=1
        )
        return replace(state, point=point, tuning={"step_size": size + 1}), info


def start(n: int = 3) -> Point:
    return Point(x=torch.zeros(n, 2), aux={"label": torch.arange(n)})


@settings(max_examples=20)
@given(sizes=st.lists(st.floats(0.1, 2.0), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_a_sequence_is_its_parts_one_after_another(sizes: list[float], seed: int) -> None:
    parts = [Shift(size) for size in sizes]
    whole, rng, point = Sequence(parts), stream(seed, 0, "a"), start()
    state, info = whole.step(None, whole.init(point, stream(seed, 0, "a")))  # type: ignore[arg-type]
    for part in parts:
        point = part.step(None, part.init(point, rng))[0].point
    assert torch.equal(state.point.x, point.x), "the stream is shared, and advances through the parts"
    assert info.n_moves == len(parts) and info.n_gradients == 2 * len(parts) and len(info.children) == len(parts)
    assert torch.equal(info.start.x, start().x) and not torch.equal(info.children[-1].start.x, point.x)
    torch.testing.assert_close(info.accept_rate, torch.full((3,), sum(sizes) / len(sizes)))


def test_every_part_has_its_own_tuning() -> None:
    whole = Sequence([Shift(1.0), Sequence([Shift(2.0), Shift(3.0)])])
    state = whole.init(start(), stream(0, 0, "a"))
    after, info = whole.step(None, state)  # type: ignore[arg-type]
    assert after.tuning["0"]["step_size"] == 2 and after.tuning["1"]["1"]["step_size"] == 4
    assert state.tuning["0"]["step_size"] == 1, "the state that went in is as before"
    again = whole.init(start(), stream(0, 0, "a"), after.tuning)
    assert again.tuning["1"]["0"]["step_size"] == 3
    assert [len(child.children) for child in info.children] == [0, 2]


def test_the_tail_goes_to_the_last_part_that_moves_x() -> None:
    first, second, gibbs = Shift(), Shift(), Shift(traits=SamplerTraits(moves={"level"}, tail="passes"))  # type: ignore[arg-type]
    whole, tail = Sequence([first, second, gibbs]), Tail(moves=2, rows=1)
    whole.step(None, whole.init(start(), stream(0, 0, "a")), tail=tail)  # type: ignore[arg-type]
    assert (first.tails, second.tails, gibbs.tails) == ([None], [tail], [None])
    assert whole.traits.moves == {"x", "level"} and whole.traits.tail == "keeps"
    assert Sequence([gibbs]).traits.moves == {"level"} and Sequence([gibbs]).traits.tail == "passes"


def test_a_part_that_refuses_a_tail_is_not_passed_over() -> None:
    nuts = build("sampler", "nuts", max_depth=1)
    whole = Sequence([Shift(), nuts, Shift(traits=SamplerTraits(asks_gradient=False, tail="passes"))])
    assert whole.traits.tail == "refuses"
    with pytest.raises(CapabilityError, match="tail was asked of nuts"):
        whole.step(view(lambda p: p.x.square().sum(dim=1)), whole.init(start(), stream(0, 0, "a")), tail=Tail())


@pytest.mark.parametrize("order", [("augment", "sgld"), ("sgld", "augment"), ("sgld", "augment", "augment")])
def test_the_graph_passes_through_an_augmentation(order: tuple[str, ...]) -> None:
    context = BuildContext(event_shape=(1, 6, 6), value_range=(0.0, 1.0))
    whole = Sequence([build("sampler", name, context=context) for name in order])
    seen = view(lambda p: QUADRATIC * (p.x - 0.5).square().sum(dim=(1, 2, 3)))
    point = Point(x=torch.rand(4, 1, 6, 6, generator=torch.Generator().manual_seed(0)))
    ends = [whole.step(seen, whole.init(point, stream(0, 0, "a")), tail=tail)[0].point for tail in (None, Tail())]
    assert torch.equal(ends[0].x, ends[1].x) and not ends[0].x.requires_grad
    (gradient,) = torch.autograd.grad(ends[1].x.square().sum(), QUADRATIC)
    assert gradient != 0


def test_a_sequence_is_a_sampler_with_parts() -> None:
    assert isinstance(Sequence([Shift()]), Sampler) and isinstance(Sequence([Shift()]), Composite)
    with pytest.raises(CapabilityError, match="at least one"):
        Sequence([])

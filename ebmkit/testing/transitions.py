"""What one transition of a sampler may touch, and what it does with walls, infinite energies, tails and a tuning."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols.sampler import Monitored, SamplerState, Tail
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined
from ebmkit.testing.invariance import TRANSITIONS, exact
from ebmkit.testing.law import Law, seeded
from ebmkit.testing.starts import Started, fitting, started, two_shapes
from ebmkit.testing.targets import box, noise
from ebmkit.training.checker.sampler import ADVICE, Transition, check_sampler
from ebmkit.training.checker.snapshots import of_point, same
from ebmkit.training.checker.streams import own_stream_only
from ebmkit.views.view import view


def is_pure(part: Examined, double: bool = False) -> None:
    """Raises PluginError where a transition is not a function of chains, tuning and stream, or touches anything."""
    for start in two_shapes(part, 64, double=double):
        point = start.state.point.with_aux(label=torch.arange(64))  # of which no sampler knows: it stays with its row
        _look_at(part, start, point)
        _look_at(part, start, point.map(lambda tensor: tensor[:1]))
        _remembers_nothing(start, point)


def _look_at(part: Examined, start: Started, point: Point) -> None:
    with own_stream_only(part.label, ADVICE):
        start.sampler.step(start.view, start.sampler.init(point, seeded(4)))
    of = Transition(start.view, point, start.sampler.init(point, seeded(4)).tuning, _stream)
    check_sampler(part.label, start.sampler, of, None, twice=True)


def _remembers_nothing(start: Started, point: Point) -> None:
    """Raises CheckFailed where other chains that a sampler moved meanwhile change what it makes of these."""

    def end(begin: Point) -> dict[str, Tensor]:
        return of_point(start.sampler.step(start.view, start.sampler.init(begin, seeded(4)))[0].point)

    first = end(point)
    end(point.map(lambda tensor: tensor.roll(1, dims=0)))
    for name, value in end(point).items():
        if not torch.allclose(value.double(), first[name].double(), atol=1e-4, equal_nan=True):
            raise CheckFailed(
                f"'{name}' of the same chains, with the same stream, ended elsewhere after the sampler had moved other "
                "chains: it keeps something of its own, as the energies or gradients of the last chains. Ask the view "
                "anew, or keep it in the state."
            )


def _stream() -> torch.Generator:
    return seeded(5)


def takes_up_its_tuning(part: Examined) -> None:
    """Raises CheckFailed where a tuning that is handed to `init` is not what the transitions go on with."""
    start = fitting(part, 8)
    tuning = start.state.tuning
    if not tuning:
        raise NotApplicable("it keeps no tuning")
    other: Any = tree_map(lambda value: value / 2 if _real(value) else value, tuning)
    again = start.sampler.init(start.state.point, seeded(4), other).tuning
    if of_tree(again) != of_tree(other):
        raise CheckFailed(
            "init was handed a tuning, and the state that it returned has another. Chains go on with the steps that "
            "training has found: take `tuning` where there is one."
        )
    after = start.sampler.step(start.view, start.state)[0].tuning
    if of_tree(after) != of_tree(tuning) and not isinstance(start.sampler, Monitored):  # which may count there
        raise CheckFailed("a transition changed its tuning. Leave it, and adapt in `adapted`, which training calls.")


def _real(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def of_tree(tuning: Any) -> Any:
    """Returns a tuning as plain numbers, for comparison."""
    return tree_map(lambda value: value.tolist() if isinstance(value, Tensor) else value, dict(tuning))


def moves_what_it_says(part: Examined) -> None:
    """Raises CheckFailed where a coordinate that the traits name never moves."""
    start = fitting(part, 200)
    state = start.state
    for _ in range(TRANSITIONS):
        state, _ = start.sampler.step(start.view, state)
    for name in sorted(start.sampler.traits.moves):
        if same(of_point(state.point)[name], of_point(start.state.point)[name]):
            raise CheckFailed(
                f"'{name}' of 200 chains is what it was after {TRANSITIONS} transitions. Move it, or take it out of "
                "the traits' moves."
            )


def stays_within(part: Examined) -> None:
    """Raises CheckFailed where x leaves the range of the data."""
    start = started(part, noise, 100) if part.traits.only_augments else started(part, box, 500)
    if not start.sampler.traits.moves_x:
        raise NotApplicable("it does not move x")
    x = start.sampler.step(start.view, start.state)[0].point.x
    if not (float(x.min()) >= 0 and float(x.max()) <= 1):
        raise CheckFailed(
            f"x is in [{float(x.min()):.3g}, {float(x.max()):.3g}], and context.value_range is (0, 1). Reflect x at "
            "the walls, or reject what lies beyond."
        )


class Forbidden:
    """The energy of a law, and another value where the first entry of x is beyond the middle of its range."""

    def __init__(self, law: Law, beyond: float, value: float) -> None:
        self.law, self.beyond, self.value = law, beyond, value
        self.abilities: frozenset[str] = getattr(law.energy, "abilities", frozenset())

    def __call__(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return torch.where(self.met(point), self.value, self.law.energy(point))

    def levels(self, point: Point, name: str) -> Tensor:
        """Returns the energies of all values of a coordinate [B, L], nats."""
        return torch.where(self.met(point)[:, None], self.value, self.law.energy.levels(point, name))

    def met(self, point: Point) -> Tensor:
        """Returns whether a row is where it must not be [B]."""
        return point.x.flatten(1)[:, 0] > self.beyond


def refuses_what_is_not_finite(part: Examined) -> None:
    """Raises CheckFailed where a proposal without a finite energy is accepted."""
    start = exact(fitting(part, 800))
    if not start.sampler.traits.moves_x:
        raise NotApplicable("it does not move x")
    first = start.state.point.x.flatten(1)[:, 0]
    beyond = float(first.min() + first.max()) / 2
    allowed = start.state.point.map(lambda tensor: tensor[first <= beyond])
    for value in (float("nan"), float("inf"), float("-inf")):
        forbidden = Forbidden(start.law, beyond, value)
        end, _ = start.sampler.step(view(forbidden), start.sampler.init(allowed, seeded(6)))
        if not bool(torch.isfinite(end.point.x).all()) or bool(forbidden.met(end.point).any()):
            raise CheckFailed(f"a proposal whose energy is {value} was accepted. Accept where log r is finite alone.")


def refuses_a_tail(part: Examined) -> None:
    """Raises CheckFailed where a tail is neither kept nor refused with words."""
    start = fitting(part, 8)
    if start.sampler.traits.tail != "refuses":
        raise NotApplicable(f"it {start.sampler.traits.tail} a tail")
    try:
        start.sampler.step(start.view, start.state, tail=Tail())
    except CapabilityError:
        return
    raise CheckFailed("its traits refuse a tail, and a transition with one was made. Raise CapabilityError.")


def passes_a_graph_on(part: Examined) -> None:
    """Raises CheckFailed where x that came with a graph leaves without it, or with another gradient."""
    start = fitting(part, 8)
    if start.sampler.traits.tail != "passes":
        raise NotApplicable(f"it {start.sampler.traits.tail} a tail")
    carried = torch.ones(8, requires_grad=True)
    point = start.state.point
    ways = carried.view(-1, *[1] * (point.x.ndim - 1))
    end, _ = start.sampler.step(start.view, _state(start, point.replace(x=point.x * ways)))
    plain, _ = start.sampler.step(start.view, _state(start, point))
    if not end.point.x.requires_grad:
        raise CheckFailed("x came with a graph and left without one. Do not detach it, or declare tail = 'refuses'.")
    if not torch.allclose(end.point.x.detach(), plain.point.x, atol=1e-6):
        raise CheckFailed("x ended elsewhere when it came with a graph. Keep the values.")


def _state(start: Started, point: Point) -> SamplerState:
    return SamplerState(point=point, rng=seeded(9), tuning=start.state.tuning)

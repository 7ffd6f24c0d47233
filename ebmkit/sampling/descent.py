"""Chains that come down a coordinate to data, one value after their transitions at each."""

from __future__ import annotations

from dataclasses import replace

from ebmkit.point import Point
from ebmkit.protocols.coordinate import Descending
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerState
from ebmkit.sampling.model import Model
from ebmkit.sampling.plan import Plan
from ebmkit.sampling.transitions import Moment, Taken, Watch, after_transitions


def down_to_data(model: Model, view: EnergyView, plan: Plan, state: SamplerState, watch: Watch | None = None) -> Taken:
    """Moves chains from the last value of the coordinate that they come down to data at its first.

    Args:
        model: with the sampler that moves x at each value.
        view: of the energy.
        plan: the number of values, and the transitions of them all.
        state: where they start.
        watch: is told of each transition.

    Raises:
        DivergenceError: a chain is not finite.
    """
    each, made, gradients, rates = plan.transitions // plan.values, 0, 0, list[float]()
    for _ in range(plan.values):
        seen = _numbered(watch, made, plan.transitions) if watch else None
        taken = after_transitions([(model, each)], view, state, seen)
        made, gradients = made + each, gradients + taken.n_gradients
        rates += [] if taken.accept_rate is None else [taken.accept_rate]
        state = model.sampler.init(_below(model, taken.point), state.rng, model.tuning)
    rate = sum(rates) / len(rates) if rates else None
    return replace(taken, point=state.point, n_gradients=gradients, accept_rate=rate)


def _below(model: Model, point: Point) -> Point:
    for coordinate in model.coordinates:
        point = coordinate.descend(point) if isinstance(coordinate, Descending) else point
    return point


def _numbered(watch: Watch, before: int, total: int) -> Watch:
    """Returns a watch that counts the transitions of all values."""

    def seen(moment: Moment) -> None:
        watch(replace(moment, transition=before + moment.transition, transitions=total))

    return seen

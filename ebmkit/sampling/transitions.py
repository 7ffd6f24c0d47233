"""Chains of a run that generation moves: for a number of transitions, or until they have visited data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ebmkit.assembly.model import Model
from ebmkit.errors import CapabilityError, DivergenceError
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerInfo, SamplerState
from ebmkit.samplers.acceptance import acceptance
from ebmkit.samplers.nonfinite import explain, finite_rows
from ebmkit.sampling.given import n_values


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moment:
    """How far the chains of one batch are.

    Attributes:
        transition: transitions made.
        transitions: transitions in all; by visits, the most that may be made.
        n_taken: chains that have visited data often enough; None where that does not matter.
        x: [n, *event] in the value range of the data, on the CPU; a chain that was taken stands still.
    """

    transition: int
    transitions: int
    n_taken: int | None
    x: Tensor


Watch = Callable[[Moment], None]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Taken:
    """The chains of one batch that were taken.

    Attributes:
        point: where they were taken.
        n_chains: chains that were started.
        n_gradients: of all of them together, each until it was taken or given up.
        most_visits: the most visits to data of a chain.
        accept_rate: share of their proposals for x that were accepted; None where the sampler rejects nothing.
    """

    point: Point
    n_chains: int
    n_gradients: int
    most_visits: int = 0
    accept_rate: float | None = None


def leaves_data(model: Model, held: frozenset[str], start: Point) -> list[str]:
    """Returns the coordinates that take chains away from data and back; none of those that are held does.

    Args:
        model: with its sampler.
        held: coordinates that stay at what was given.
        start: fresh chains.

    Raises:
        CapabilityError: such a coordinate is neither held nor moved, so that chains would never come to data.
    """
    names = [name for name in leaving(model, start) if name not in held]
    stuck = [name for name in names if name not in model.sampler.traits.coordinates]
    if stuck:
        raise CapabilityError(
            f"Fresh chains do not start at data, and no part of the sampler moves {', '.join(stuck)}: they never get "
            f"there. Hold it (--given {stuck[0]}=…), or train with a sampler that moves it, as gibbs does."
        )
    return names


def leaving(model: Model, start: Point) -> list[str]:
    """Returns the coordinates of which some value is away from data."""
    return [c.name for c in model.coordinates if not _always_data(c, start)]


def after_transitions(
    stages: Sequence[tuple[Model, int]], view: EnergyView, state: SamplerState, watch: Watch | None = None
) -> Taken:
    """Moves chains for a number of transitions.

    Args:
        stages: runs whose samplers move them one after the other, with the transitions of each.
        view: of the energy.
        state: where they start, of the first sampler.
        watch: is told of each round.

    Raises:
        DivergenceError: a chain is not finite.
    """
    total, made, gradients, rates = sum(transitions for _, transitions in stages), 0, 0, list[Tensor]()
    for stage, (model, transitions) in enumerate(stages):
        if stage:
            state = model.sampler.init(state.point, state.rng, model.tuning)
        for _ in range(transitions):
            made += 1
            state, info = _moved(model, view, state, made)
            gradients += info.n_gradients
            rates += _accepted(info)
            if watch:
                watch(Moment(transition=made, transitions=total, n_taken=None, x=_shown(model, state.point)))
    n = len(state.point)
    return Taken(point=state.point, n_chains=n, n_gradients=n * gradients, accept_rate=_mean(rates))


def at_visits(
    model: Model, view: EnergyView, state: SamplerState, visits: int, transitions: int, watch: Watch | None = None
) -> Taken:
    """Moves chains until each has ended a number of transitions at data, where it is taken.

    A chain that was taken no longer counts. Its row is dropped when half of the rows are such: the batch has few sizes,
    and at least half of its work is for chains that are still under way.

    Args:
        model: with its sampler.
        view: of the energy.
        state: where they start.
        visits: transitions that end at data, M.
        transitions: the most that a chain may make.
        watch: is told of each round.

    Raises:
        DivergenceError: a chain is not finite.
    """
    kept, n, device = state.point, len(state.point), state.point.x.device
    rows, counts = torch.arange(n, device=device), torch.zeros(n, dtype=torch.int64, device=device)
    gradients, rates = 0, list[Tensor]()
    for i in range(1, transitions + 1):
        under_way = counts[rows] < visits
        state, info = _moved(model, view, state, i)
        gradients += info.n_gradients * int(under_way.sum())
        rates += [rate[under_way] for rate in _accepted(info)]
        moved = rows[under_way]
        kept = _with_rows(kept, moved, _rows(state.point, under_way))
        counts[moved] += at_data(model, state.point)[under_way]
        left = counts[rows] < visits
        n_left = int(left.sum())
        if watch:
            watch(Moment(transition=i, transitions=transitions, n_taken=n - n_left, x=_shown(model, kept)))
        if not n_left:
            break
        if 2 * n_left <= len(rows):
            state = replace(state, point=_rows(state.point, left))
            rows = rows[left]
    taken = counts >= visits
    return Taken(
        point=_rows(kept, taken), n_chains=n, n_gradients=gradients, most_visits=int(counts.max()),
        accept_rate=_mean(rates),
    )  # fmt: skip


def at_data(model: Model, point: Point) -> Tensor:
    """Returns [B] bool: the rows that are points of the data distribution, as all coordinates see it."""
    here = torch.ones(len(point), dtype=torch.bool, device=point.x.device)
    for coordinate in model.coordinates:
        here = here & coordinate.is_data(point)
    return here


def _moved(model: Model, view: EnergyView, state: SamplerState, i: int) -> tuple[SamplerState, SamplerInfo]:
    """Makes the i-th transition; raises DivergenceError where a chain is not finite after it."""
    before = replace(state, rng=state.rng.clone_state())
    state, info = model.sampler.step(view, state)
    if not bool(finite_rows(state.point).all()):
        why = explain(model.sampler, view, before, info)
        raise DivergenceError(f"A chain is not finite after round {i}; {why} Sample with a smaller step.")
    return state, info


def _accepted(info: SamplerInfo) -> list[Tensor]:
    """Returns the share of accepted proposals [B], in a list that is empty where the sampler rejects nothing."""
    rate = acceptance(info)
    return [] if rate is None else [rate]


def _mean(rates: list[Tensor]) -> float | None:
    return float(torch.cat(rates).mean()) if rates else None


def _rows(point: Point, which: Tensor) -> Point:
    return point.map(lambda tensor: tensor[which])


def _with_rows(point: Point, rows: Tensor, values: Point) -> Point:
    """Returns the point with some rows replaced."""
    return Point(
        x=point.x.index_copy(0, rows, values.x),
        aux={name: value.index_copy(0, rows, values.aux[name]) for name, value in point.aux.items()},
    )


def _always_data(coordinate: Any, start: Point) -> bool:
    """Returns whether every fresh chain is at data, and would be at every value of a coordinate that is discrete."""
    n = n_values(coordinate)
    values = torch.arange(n, device=start.x.device)
    swept = start.map(lambda tensor: tensor[:1].expand(n, *tensor.shape[1:])).with_aux(**{coordinate.name: values})
    return all(bool(coordinate.is_data(point).all()) for point in ([start, swept] if n else [start]))


def _shown(model: Model, point: Point) -> Tensor:
    return model.in_data_range(point.without("latent")).cpu()

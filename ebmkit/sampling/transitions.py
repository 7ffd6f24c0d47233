"""Chains of a run that generation moves: for a number of transitions, or until they have visited data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerInfo, SamplerState
from ebmkit.samplers.acceptance import acceptance
from ebmkit.sampling.model import Model
from ebmkit.sampling.moved import moved


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
        rows: which chains of the batch they are [n].
        n_chains: chains that were started.
        n_gradients: of all of them together, each until it was taken or given up.
        most_visits: the most visits to data of a chain.
        accept_rate: share of their proposals for x that were accepted; None where the sampler rejects nothing.
    """

    point: Point
    rows: Tensor
    n_chains: int
    n_gradients: int
    most_visits: int = 0
    accept_rate: float | None = None


def after_transitions(
    stages: Sequence[tuple[Model, int]], view: EnergyView, state: SamplerState, watch: Watch | None = None
) -> Taken:
    """Moves chains for a number of transitions.

    Args:
        stages: runs whose samplers move them one after the other, with the transitions of each.
        view: of the energy.
        state: where they start, of the first sampler.
        watch: is told of each transition.

    Raises:
        DivergenceError: a chain is not finite.
    """
    total, made = sum(transitions for _, transitions in stages), 0
    gradients, rates = 0, list[Tensor]()
    for stage, (model, transitions) in enumerate(stages):
        if stage:
            state = model.sampler.init(state.point, state.rng, model.tuning)
        for _ in range(transitions):
            made += 1
            state, info = moved(model.sampler, view, state, made)
            gradients += info.n_gradients
            rates += _accepted(info)
            if watch:
                watch(Moment(transition=made, transitions=total, n_taken=None, x=_shown(model, state.point)))
    n = len(state.point)
    return Taken(
        point=state.point, rows=torch.arange(n), n_chains=n, n_gradients=n * gradients, accept_rate=_mean(rates)
    )


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
        watch: is told of each transition.

    Raises:
        DivergenceError: a chain is not finite.
    """
    ends, n, device = state.point, len(state.point), state.point.x.device
    rows, counts = torch.arange(n, device=device), torch.zeros(n, dtype=torch.int64, device=device)
    gradients, rates = 0, list[Tensor]()
    for i in range(1, transitions + 1):
        under_way = counts[rows] < visits
        state, info = moved(model.sampler, view, state, i)
        gradients += info.n_gradients * int(under_way.sum())
        rates += [rate[under_way] for rate in _accepted(info)]
        active = rows[under_way]
        ends = _with_rows(ends, active, _rows(state.point, under_way))
        counts[active] += at_data(model, state.point)[under_way]
        left = counts[rows] < visits
        n_left = int(left.sum())
        if watch:
            watch(Moment(transition=i, transitions=transitions, n_taken=n - n_left, x=_shown(model, ends)))
        if not n_left:
            break
        if 2 * n_left <= len(rows):
            state = replace(state, point=_rows(state.point, left))
            rows = rows[left]
    taken = counts >= visits
    return Taken(
        point=_rows(ends, taken), rows=taken.nonzero()[:, 0].cpu(), n_chains=n, n_gradients=gradients,
        most_visits=int(counts.max()), accept_rate=_mean(rates),
    )  # fmt: skip


def at_data(model: Model, point: Point) -> Tensor:
    """Returns [B] bool: the rows that are points of the data distribution, as all coordinates see it."""
    here = torch.ones(len(point), dtype=torch.bool, device=point.x.device)
    for coordinate in model.coordinates:
        here = here & coordinate.is_data(point)
    return here


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


def _shown(model: Model, point: Point) -> Tensor:
    return model.in_data_range(point.without("latent")).cpu()

"""The long-run test: chains that start at data and go on under the model must not drift away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

import torch
from torch import Generator, Tensor

from ebmkit.assembly.context import data_point
from ebmkit.errors import CapabilityError, DataError, DivergenceError, RecipeError
from ebmkit.point import Batch, Point
from ebmkit.protocols.sampler import SamplerState
from ebmkit.rng import stream
from ebmkit.samplers.acceptance import acceptance
from ebmkit.sampling.model import Model
from ebmkit.sampling.moved import moved
from ebmkit.sampling.named import ready
from ebmkit.sampling.variants import without_augmentation

Statistic = Callable[[Tensor], Tensor]

STATISTICS: Mapping[str, Statistic] = {
    "mean": lambda x: x.flatten(1).mean(dim=1),
    "square": lambda x: x.flatten(1).square().mean(dim=1),
}
"""What is followed of x [B, *event], in the data's range, where nothing else is asked: [B]."""

BEYOND = 4.0
"""Standard errors beyond which a difference is a drift."""

RECORDS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class LongRun:
    """Chains followed through many moves, B of them, R records after the start.

    "distance" is in neither comparison: it grows until a chain has forgotten its start.

    Attributes:
        moves: [R + 1] moves made at each record, 0 at the start.
        values: statistic → [R + 1, B]; "energy" in nats, "distance" from the start: root mean square over entries.
        drift: statistic → z of the last quarter of the records against the first, over independent chains.
        from_data: statistic → z of the last quarter of the records against the data that the chains started from; a
            drift that ends within the first quarter shows only here.
        accept_rate: of all moves; None where the sampler rejects nothing.
        frames: start, middle and end, [B, *event] each, in the value range of the data.
    """

    moves: Tensor
    values: Mapping[str, Tensor]
    drift: Mapping[str, float]
    from_data: Mapping[str, float]
    accept_rate: float | None
    frames: tuple[Tensor, Tensor, Tensor]

    @property
    def stays(self) -> bool:
        """Whether chains stay where the data are: no statistic is beyond ±4 standard errors in either comparison."""
        return all(abs(z) <= BEYOND for z in (*self.drift.values(), *self.from_data.values()))

    @property
    def final(self) -> Tensor:
        """x [B, *event] at the end, in the value range of the data."""
        return self.frames[-1]


def long_run(
    model: Model,
    start: Tensor | Batch,
    *,
    transitions: int,
    records: int = RECORDS,
    statistics: Mapping[str, Statistic] = STATISTICS,
    seed: int = 0,
    given: Mapping[str, Tensor] | None = None,
    watch: Callable[[int, Mapping[str, Tensor]], None] | None = None,
) -> LongRun:
    """Lets the sampler of a model move chains that start at data, without augmentation, and follows them.

    A coordinate that leaves data, as a noise level does, is held where data have it; so is what is given.

    Args:
        model: as `ebmkit.load` returns it.
        start: B data [B, *event], in their value range; a batch with labels where the model has a label.
        transitions: of each chain, rounded up to a multiple of the records.
        records: how many times it is looked at them.
        statistics: name → function of x [B, *event] in the data's range, that returns [B].
        seed: of the moves.
        given: coordinate → its values, held: [B, ...], or one for all rows, [] or [1, ...].
        watch: called at each record with the moves made and the statistics.

    Raises:
        RecipeError: a count is not positive, or given names no such coordinate.
        CapabilityError: start is of another shape, or the sampler cannot hold what is held.
        DataError: start is not finite, or has no labels where they are needed.
        DivergenceError: a chain is not finite any more.

    Source: Zhang, Tan, Ou, Stat 2023, long-run sampling from training images.
    """
    if transitions < 1 or records < 4:
        raise RecipeError(f"A long run needs transitions ≥ 1 and records ≥ 4; found {transitions} and {records}.")
    batch = start if isinstance(start, Batch) else Batch(x=start)
    rng = stream(seed, 0, "long run", model.device)
    point, held = _at_data(model, batch, given or {}, rng)
    model = _plain(model, held, seed)
    return _followed(model, model.sampler.init(point, rng, model.tuning), transitions, records, statistics, watch)


def drift_z(series: Tensor) -> float:
    """Returns by how many standard errors the last quarter of a series [R + 1, B] differs from the first.

    The chains are independent and each has one difference, so it does not matter how slowly a chain moves. The start
    itself is left out.
    """
    return _z(drift(series))


def from_data_z(series: Tensor) -> float:
    """Returns by how many standard errors the last quarter of a series [R + 1, B] differs from its start, the data.

    One difference of each chain, as in `drift_z`. Chains that have forgotten their start, and data drawn from the law
    of the model, differ by noise alone.
    """
    return _z(from_data(series))


def drift(series: Tensor) -> Tensor:
    """Returns the last quarter of a series [R + 1, B] less the first, of each chain [B]."""
    quarter = _quarter(series)
    return series[-quarter:].mean(dim=0) - series[1 : 1 + quarter].mean(dim=0)


def from_data(series: Tensor) -> Tensor:
    """Returns the last quarter of a series [R + 1, B] less its start, the data, of each chain [B]."""
    return series[-_quarter(series) :].mean(dim=0) - series[0]


def _quarter(series: Tensor) -> int:
    return max(1, (len(series) - 1) // 4)


def _z(differences: Tensor) -> float:
    """Returns the mean of independent differences [B] in standard errors of it."""
    differences = differences.double()
    error = differences.std() / len(differences) ** 0.5
    return float(differences.mean() / error.clamp(min=1e-12))


def _at_data(
    model: Model, batch: Batch, given: Mapping[str, Tensor], rng: Generator
) -> tuple[Point, dict[str, Tensor]]:
    """Returns data as the chains hold them, and what the chains are to hold: coordinate → its values [B, ...]."""
    x = batch.x
    if tuple(x.shape[1:]) != tuple(model.data.event_shape):
        raise CapabilityError(f"start has data of shape {tuple(x.shape[1:])}, but the run {model.data.event_shape}.")
    if not bool(torch.isfinite(x).all()):
        raise DataError("start holds values that are not finite: chains cannot start there.")
    point = data_point(model.coordinates, x.to(model.device))
    away = {c.name: point.aux[c.name] for c in model.coordinates if c.leaves_data and c.name in point.aux}
    others = {c.name: c for c in model.coordinates if c.name not in away}
    if unknown := [name for name in given if name not in others]:
        raise RecipeError(
            f"given names {', '.join(unknown)}, but a long run can hold {', '.join(others) or 'nothing'}: the "
            "coordinates of its run that do not leave data. The others stay as data have them."
        )
    for name, coordinate in others.items():
        if name in given:
            point = point.with_aux(**{name: _rows(name, given[name], point.x)})
        elif name not in point.aux:
            labels = None if batch.y is None else batch.y.to(model.device)
            point = coordinate.lift(Batch(x=point.x, y=labels), point, rng)
    return point, {**away, **{name: point.aux[name] for name in given}}


def _plain(model: Model, held: Mapping[str, Tensor], seed: int) -> Model:
    """Returns the model with the sampler that draws its samples, which holds what is held and does not augment."""
    return without_augmentation(ready(model, {name: value[0] for name, value in held.items()}, seed))


def _followed(
    model: Model,
    state: SamplerState,
    transitions: int,
    records: int,
    statistics: Mapping[str, Statistic],
    watch: Callable[[int, Mapping[str, Tensor]], None] | None,
) -> LongRun:
    seen, first, each = model.view(), state.point, ceil(transitions / records)
    kept, moves, rates = [_measured(model, seen.energy(first), first, first, statistics)], [0], list[Tensor]()
    frames = [model.in_data_range(first).cpu()]
    for i in range(1, records + 1):
        made = moves[-1]
        for j in range(each):
            state, info = moved(model.sampler, seen, state, (i - 1) * each + j + 1)
            made += info.n_moves
            rates += [] if (rate := acceptance(info)) is None else [rate.mean()]
        moves.append(made)
        kept.append(_measured(model, seen.energy(state.point), state.point, first, statistics))
        if i in (records // 2, records):
            frames.append(model.in_data_range(state.point).cpu())
        if watch is not None:
            watch(made, kept[-1])
    series = {name: torch.stack([values[name] for values in kept]) for name in kept[0]}
    compared = {name: value for name, value in series.items() if name != "distance"}
    return LongRun(
        moves=torch.tensor(moves),
        values=series,
        drift={name: drift_z(value) for name, value in compared.items()},
        from_data={name: from_data_z(value) for name, value in compared.items()},
        accept_rate=float(torch.stack(rates).mean()) if rates else None,
        frames=(frames[0], frames[1], frames[2]),
    )


def _measured(
    model: Model, energy: Tensor, point: Point, first: Point, statistics: Mapping[str, Statistic]
) -> dict[str, Tensor]:
    x = model.in_data_range(point)
    distance = (point.x - first.x).flatten(1).square().mean(dim=1).sqrt()
    values = {"energy": energy, "distance": distance, **{name: f(x) for name, f in statistics.items()}}
    if not bool(torch.isfinite(energy).all()):
        raise DivergenceError("The energy of a chain is not finite: a long run from there says nothing.")
    return {name: value.detach().cpu() for name, value in values.items()}


def _rows(name: str, value: Tensor, x: Tensor) -> Tensor:
    """Returns what is given as one value for each row of x."""
    rows = torch.as_tensor(value, device=x.device)
    if rows.ndim == 0:
        return rows.expand(len(x)).contiguous()
    if len(rows) not in (1, len(x)):
        raise CapabilityError(f"given {name} has {len(rows)} rows, but start {len(x)}: give as many, or one for all.")
    return rows.expand(len(x), *rows.shape[1:]).contiguous()

"""The long-run test: chains that start at data and move at level 0 must not drift away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from ebmkit import CapabilityError, DivergenceError, Model, Point, RecipeError, Tuning, build, stream
from ebmkit.coordinates.momentum import Momentum
from ebmkit.samplers.step_size import tuned_step_sizes
from ebmkit_diffusion.level import Level

Statistic = Callable[[Tensor], Tensor]

STATISTICS: Mapping[str, Statistic] = {
    "mean": lambda x: x.flatten(1).mean(dim=1),
    "square": lambda x: x.flatten(1).square().mean(dim=1),
}
"""What is followed of x [B, *event], in the data's range, where nothing else is asked: [B]."""


BEYOND = 4.0
"""Standard errors beyond which a difference is a drift."""


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
        accept_rate: of all moves.
        step_size: of the moves, data units.
        final: [B, *event], in the value range of the data.
    """

    moves: Tensor
    values: Mapping[str, Tensor]
    drift: Mapping[str, float]
    from_data: Mapping[str, float]
    accept_rate: float
    step_size: float
    final: Tensor

    @property
    def stays(self) -> bool:
        """Whether chains stay where the data are: no statistic is beyond ±4 standard errors in either comparison."""
        return all(abs(z) <= BEYOND for z in (*self.drift.values(), *self.from_data.values()))


def long_run(
    model: Model,
    start: Tensor,
    *,
    moves: int = 100_000,
    records: int = 100,
    step_size: float | None = None,
    statistics: Mapping[str, Statistic] = STATISTICS,
    seed: int = 0,
    given: Mapping[str, Tensor] | None = None,
    watch: Callable[[int, Mapping[str, Tensor]], None] | None = None,
) -> LongRun:
    """Makes adjusted Langevin moves at level 0 from data, and follows them.

    Args:
        model: as `ebmkit.load` returns it, with a coordinate `level` or without.
        start: B data [B, *event], in their value range.
        moves: of each chain, rounded up to a multiple of the records.
        records: how many times it is looked at them.
        step_size: s, data units; unset: that to which training adapted level 0.
        statistics: name → function of x [B, *event] in the data's range, that returns [B].
        seed: of the moves.
        given: coordinate other than `level` → its values, held: [B, ...], or one for all rows, [] or [1, ...].
        watch: called at each record with the moves made and the statistics.

    Raises:
        RecipeError: a count is not positive, there is no step size to go by, or given names no such coordinate.
        CapabilityError: start is of another shape, or a coordinate other than `level` is given no values.
        DivergenceError: a chain is not finite any more.

    Source: Zhang, Tan, Ou, Stat 2023, long-run sampling from training images.
    """
    if moves < 1 or records < 4:
        raise RecipeError(f"A long run needs moves ≥ 1 and records ≥ 4; found {moves} and {records}.")
    each, size = ceil(moves / records), step_size or tuned_step(model.tuning)
    sampler = build("sampler", "mala", context=model.context(), moves=each, step_size=size, adapt="off")
    seen = model.view()
    rng = stream(seed, 0, "long run", model.device)
    state = sampler.init(_clean(model, start.to(model.device), given or {}), rng)
    first, accepted, kept = state.point, 0.0, []
    for i in range(records + 1):
        if i:
            state, info = sampler.step(seen, state)
            accepted += float(info.accept_rate.mean()) / records
        values = _measured(model, seen.energy(state.point), state.point, first, statistics)
        if not all(bool(torch.isfinite(value).all()) for value in values.values()):
            raise DivergenceError(
                f"A chain is not finite after {i * each:,} moves: use a smaller step_size than {size:g}."
            )
        kept.append(values)
        if watch is not None:
            watch(i * each, values)
    series = {name: torch.stack([values[name] for values in kept]) for name in kept[0]}
    compared = {name: value for name, value in series.items() if name != "distance"}
    return LongRun(
        moves=torch.arange(records + 1) * each,
        values=series,
        drift={name: drift_z(value) for name, value in compared.items()},
        from_data={name: from_data_z(value) for name, value in compared.items()},
        accept_rate=accepted,
        step_size=size,
        final=model.in_data_range(state.point).cpu(),
    )


def drift_z(series: Tensor) -> float:
    """Returns by how many standard errors the last quarter of a series [R + 1, B] differs from the first.

    The chains are independent and each has one difference, so it does not matter how slowly a chain moves. The start
    itself is left out.
    """
    quarter = _quarter(series)
    return _z(series[-quarter:].mean(dim=0) - series[1 : 1 + quarter].mean(dim=0))


def from_data_z(series: Tensor) -> float:
    """Returns by how many standard errors the last quarter of a series [R + 1, B] differs from its start, the data.

    One difference of each chain, as in `drift_z`. Chains that have forgotten their start, and data drawn from the law
    of the model, differ by noise alone.
    """
    return _z(series[-_quarter(series) :].mean(dim=0) - series[0])


def _quarter(series: Tensor) -> int:
    return max(1, (len(series) - 1) // 4)


def _z(differences: Tensor) -> float:
    """Returns the mean of independent differences [B] in standard errors of it."""
    differences = differences.double()
    error = differences.std() / len(differences) ** 0.5
    return float(differences.mean() / error.clamp(min=1e-12))


def tuned_step(tuning: Tuning) -> float:
    """Returns the step size that training adapted, that of level 0 where there are several.

    Raises:
        RecipeError: nothing was adapted.
    """
    for sizes in tuned_step_sizes(tuning):
        return float(sizes.flatten()[0])
    raise RecipeError("This run adapted no step size: give step_size, in data units, to the long model.")


def _clean(model: Model, x: Tensor, given: Mapping[str, Tensor]) -> Point:
    """Returns data as points at level 0 that hold what is given."""
    if tuple(x.shape[1:]) != tuple(model.data.event_shape):
        raise CapabilityError(f"start has data of shape {tuple(x.shape[1:])}, but the run {model.data.event_shape}.")
    point = Point(x=x)
    for coordinate in model.coordinates:
        if isinstance(coordinate, Level):
            point = point.replace(x=coordinate.scaled(point.x))
        point = coordinate.clean(point)
    others = [c.name for c in model.coordinates if not isinstance(c, Level | Momentum)]  # no energy sees a momentum
    _check_given(given, others, point)
    return point.with_aux(**{name: _rows(name, value, x) for name, value in given.items()})


def _check_given(given: Mapping[str, Tensor], others: Sequence[str], point: Point) -> None:
    """Raises where a coordinate that no clean point has by itself is given nothing, or something else is given."""
    unknown = [name for name in given if name not in others]
    if unknown:
        raise RecipeError(
            f"given names {', '.join(unknown)}, but a long run holds {', '.join(others) or 'nothing'}: the coordinates "
            "of its run other than level, which stays 0."
        )
    missing = [name for name in others if name not in given and name not in point.aux]
    if missing:
        raise CapabilityError(
            f"A long run moves x alone, and this run has {', '.join(missing)} beside it: pass "
            f"given={{'{missing[0]}': values}}, a tensor with one for each row of start, or one for all."
        )


def _rows(name: str, value: Tensor, x: Tensor) -> Tensor:
    """Returns what is given as one value for each row of x."""
    rows = torch.as_tensor(value, device=x.device)
    if rows.ndim == 0:
        return rows.expand(len(x)).contiguous()
    if len(rows) not in (1, len(x)):
        raise CapabilityError(f"given {name} has {len(rows)} rows, but start {len(x)}: give as many, or one for all.")
    return rows.expand(len(x), *rows.shape[1:]).contiguous()


def _measured(
    model: Model, energy: Tensor, point: Point, first: Point, statistics: Mapping[str, Statistic]
) -> dict[str, Tensor]:
    x = model.in_data_range(point)
    distance = (point.x - first.x).flatten(1).square().mean(dim=1).sqrt()
    values = {"energy": energy, "distance": distance, **{name: f(x) for name, f in statistics.items()}}
    return {name: value.cpu() for name, value in values.items()}

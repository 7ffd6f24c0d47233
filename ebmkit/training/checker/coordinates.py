"""Whether coordinates lift data and start chains as they promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from ebmkit.errors import PluginError
from ebmkit.point import Batch, Point
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.training.checker.points import check_detached, check_finite, check_like
from ebmkit.training.checker.snapshots import changed, kept, of_batch, of_point, same
from ebmkit.training.checker.streams import own_stream_only

ADVICE = "Draw from the generator that `lift` and `prior` are handed: generator=rng."

Streams = Callable[[str], Generator]


def check_lifts(coordinates: Sequence[Coordinate], batch: Batch, rng: Streams) -> Point:
    """Returns the positive of a batch; raises PluginError where a coordinate breaks its promise on the way."""
    held, streams = Point(x=batch.x), (rng("lift"), rng("lift"))
    for coordinate in coordinates:
        label, before = f"Coordinate '{coordinate.name}'", kept(of_batch(batch))
        with own_stream_only(label, ADVICE):
            found = _checked(f"{label} lifted", coordinate, coordinate.lift(batch, held, streams[0]), held)
            again = coordinate.lift(batch, held, streams[1])
        if changed(before, of_batch(batch)):
            raise PluginError(f"{label} wrote into the batch that it lifted. Work on a copy.")
        if not coordinate.noises_x and not same(found.x, held.x):
            raise PluginError(f"{label} changed x and says noises_x = False. Leave x alone, or say noises_x = True.")
        if changed(of_point(found), of_point(again)):
            raise PluginError(f"{label} lifted one batch in two ways from the same random stream. {ADVICE}")
        _check_answers(label, coordinate, found)
        held = found
    return held


def check_priors(coordinates: Sequence[Coordinate], batch: Batch, rng: Streams) -> None:
    """Raises PluginError where a coordinate starts fresh chains otherwise than it must."""
    held, stream = Point(x=batch.x), rng("checker prior")
    for coordinate in coordinates:
        label = f"Coordinate '{coordinate.name}'"
        with own_stream_only(label, ADVICE):
            drawn = coordinate.prior(len(held), held, stream)
        held = _checked(f"{label} started fresh chains with", coordinate, drawn, held)


def _checked(who: str, coordinate: Coordinate, found: object, before: Point) -> Point:
    """Returns the point that a coordinate was added to."""
    name = coordinate.name
    if not isinstance(found, Point):
        raise PluginError(f"{who} {type(found).__name__}. It must be an ebmkit.Point.")
    if name not in found.aux:
        raise PluginError(f"{who} no '{name}'. Add it: point.with_aux({name}=…).")
    check_like(who, found.without(name), before.without(name))
    check_detached(who, found)
    check_finite(who, found)
    _check_range(who, coordinate, found.aux[name])
    return found


def _check_range(who: str, coordinate: Coordinate, value: Tensor) -> None:
    n = coordinate.n_values
    if n is None:
        return
    if value.dtype != torch.int64:
        raise PluginError(f"{who} values of {value.dtype}. A coordinate of {n} values is an index in int64.")
    if value.numel() and (int(value.min()) < 0 or int(value.max()) >= n):
        raise PluginError(
            f"{who} values from {int(value.min())} to {int(value.max())}, but says n_values = {n}: 0 to {n - 1}."
        )


def _check_answers(label: str, coordinate: Coordinate, point: Point) -> None:
    """Looks at what a coordinate says of lifted rows: whether they are data, how much of them is left."""
    n = len(point)
    is_data, signal = coordinate.is_data(point), coordinate.signal(point)
    if is_data.shape != (n,) or is_data.dtype != torch.bool:
        raise PluginError(f"{label}: is_data gave {tuple(is_data.shape)} of {is_data.dtype}, expected [B] of bool.")
    if not coordinate.leaves_data and not bool(is_data.all()):
        raise PluginError(f"{label} says leaves_data = False, and that lifted rows are not data. Say True.")
    if signal.shape != (n,) or bool(((signal < -1e-6) | (signal > 1 + 1e-6)).any()):
        raise PluginError(f"{label}: signal gave values outside of [0, 1], or not one a row. It is a share.")
    shown = coordinate.to_data(point)
    if shown.shape != point.x.shape:
        raise PluginError(
            f"{label}: to_data gave shape {tuple(shown.shape)}, expected that of x, {tuple(point.x.shape)}."
        )
    cleaned = coordinate.is_data(coordinate.clean(point))
    if not bool(cleaned.all()):
        raise PluginError(f"{label}: clean left {int((~cleaned).sum())} of {n} rows away from data by is_data.")

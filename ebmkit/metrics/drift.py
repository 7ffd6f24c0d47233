"""The long-run test as a metric: where chains from held-out data end, against their start and against data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt

import torch
from PIL.Image import Image
from torch import Generator, Tensor

from ebmkit.assembly.context import data_point
from ebmkit.display.doing import doing
from ebmkit.errors import DataError
from ebmkit.evaluation.pictures import grid, to_uint8
from ebmkit.evaluation.plane import window_around
from ebmkit.evaluation.plane_pictures import densities_picture
from ebmkit.evaluation.uncertainty import standard_error
from ebmkit.metrics.declarations.chains import LongRunConfig
from ebmkit.metrics.declarations.features import unfit
from ebmkit.metrics.features.sets import features_of
from ebmkit.metrics.long_run import BEYOND, LongRun, drift, from_data, long_run
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch
from ebmkit.protocols.coordinate import Smoothing
from ebmkit.protocols.metric import Estimate, Measured, Subject
from ebmkit.rng import stream
from ebmkit.sampling.model import Model

SHOWN = 10
"""Chains in a picture."""

DRIFT = "drift"
"""The energy distance of the end from other data, less that of the data that the chains began at."""


class Drift:
    """Chains from held-out data, followed; see `LongRunConfig`."""

    def __init__(self, config: LongRunConfig) -> None:
        self.config = config

    def measure(self, subject: Subject) -> Measured:
        """Returns how far the end of the chains is from their start, and from data.

        Raises:
            DataError: there are too few data.
            CapabilityError: the run has no sampler that can hold what leaves data.
            DivergenceError: a chain is not finite.
        """
        model, n = subject.sampled_model(), self.config.n_chains
        spaces = _spaces(subject, self.config.features)
        held, noise = as_modelled(
            model, subject.held_out(2 * n), stream(subject.seed, 0, "data of a long run", model.device)
        )
        starts, others = _halves(held, n)
        doing(f"moving {len(starts)} chains by {self.config.transitions} transitions")
        run = long_run(
            model, starts, transitions=self.config.transitions, records=self.config.records, seed=subject.seed
        )
        rate = run.accept_rate
        accepted = "" if rate is None else f", acceptance {rate:.2f}"
        distances = _distances(run, others, spaces)
        return Measured(
            estimates={**drift_estimates(run), **distances},
            definition=(
                f"{len(starts):,} chains from held-out data make {int(run.moves[-1]):,} moves of the run's sampler at "
                f"clean data, nothing augmented{accepted}; end is the last quarter of {self.config.records} looks, "
                "start the first, errors are over independent chains."
            ),
            notes=(_verdict(run, distances), *_of_noise(noise)),
            pictures=_pictures(model, run),
        )


def drift_estimates(run: LongRun) -> dict[str, Estimate]:
    """Returns for each statistic its mean over the data, end − start and end − data, chain by chain."""
    found = {}
    for name in run.drift:
        series = run.values[name].double()
        unit = "nats" if name == "energy" else ""
        columns = {"data": series[0], "end − start": drift(series), "end − data": from_data(series)}
        for column, values in columns.items():
            found[f"{name}: {column}"] = Estimate(
                value=float(values.mean()), error=standard_error(values), n=len(values), unit=unit
            )
    return found


def energy_distance(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Returns 2 E|X − Y| − E|X − X'| − E|Y − Y'| over √d, data units, unbiased, and its standard error.

    It is 0 for samples [N, *event] of one law and positive else; the error is that of a jackknife over rows of both.

    Raises:
        DataError: there are fewer than three rows in one of them.

    Source: Székely, Rizzo (2013), Energy statistics: a class of statistics based on distances.
    """
    n, m = len(x), len(y)
    if min(n, m) < 3:
        raise DataError(f"An energy distance with its error needs three rows of each; found {n} and {m}.")
    value, without = _without_one(x, y)
    return value, _jackknife(*without)


def _without_one(x: Tensor, y: Tensor) -> tuple[float, tuple[Tensor, Tensor]]:
    """Returns the energy distance, and what it is without each row of x [N], and without each of y [M]."""
    n, m = len(x), len(y)
    x, y = x.flatten(1).double(), y.flatten(1).double()
    across, of_x, of_y = (torch.cdist(a, b) / sqrt(x.shape[1]) for a, b in ((x, y), (x, x), (y, y)))
    total, own_x, own_y = across.sum(), of_x.sum(), of_y.sum()

    def value(cross: Tensor, xx: Tensor, yy: Tensor, n: int, m: int) -> Tensor:
        return 2 * cross / (n * m) - xx / (n * (n - 1)) - yy / (m * (m - 1))

    without_x = value(total - across.sum(dim=1), own_x - 2 * of_x.sum(dim=1), own_y, n - 1, m)
    without_y = value(total - across.sum(dim=0), own_x, own_y - 2 * of_y.sum(dim=1), n, m - 1)
    return float(value(total, own_x, own_y, n, m)), (without_x, without_y)


def _jackknife(*without: Tensor) -> float:
    """Returns the standard error of a value, of what it is without each row of each of its samples."""
    return sqrt(sum((len(v) - 1) / len(v) * float((v - v.mean()).square().sum()) for v in without))


def as_modelled(model: Model, held: Batch, rng: Generator) -> tuple[Batch, float]:
    """Returns data with the noise that a model's clean data have, in their value range, and its s.d. as chains hold it.

    The chains of a model of data with noise have that noise, so that data without it are no draws of it.
    """
    noise = max((c.smooth for c in model.coordinates if isinstance(c, Smoothing)), default=0.0)
    if not noise:
        return held, 0.0
    point = data_point(model.coordinates, held.x.to(rng.device))
    drawn = torch.randn(held.x.shape, generator=rng, device=rng.device)
    x = model.in_data_range(point.replace(x=point.x + noise * drawn))
    return Batch(x=x.to(held.x.device), y=held.y), noise


def _spaces(subject: Subject, asked: str) -> dict[str, Callable[[Tensor], Tensor]]:
    """Returns where distances are taken, by what follows in their names: x itself, and features of images."""
    found: dict[str, Callable[[Tensor], Tensor]] = {"": lambda x: x}
    data = subject.model.data
    if asked or (data.value_range is not None and not unfit(asked, tuple(data.event_shape))):
        features = features_of(subject, asked)
        found[f" on {features.name}"] = features.features
    return found


def _distances(run: LongRun, others: Tensor, spaces: Mapping[str, Callable[[Tensor], Tensor]]) -> dict[str, Estimate]:
    """Returns the distances of data and end from other data, and the difference; its error knows what they share."""
    found = {}
    for space, of in spaces.items():
        reference = of(others)
        (start, of_start), (end, of_end) = (_without_one(of(x), reference) for x in (run.frames[0], run.final))
        for name, value, without in (("data", start, of_start), ("end", end, of_end)):
            found[f"energy distance from other data{space}, {name}"] = Estimate(
                value=value, error=_jackknife(*without), n=len(others), better="lower" if name == "end" else ""
            )
        error = _jackknife(*(after - before for after, before in zip(of_end, of_start, strict=True)))
        found[f"{DRIFT}{space}"] = Estimate(value=end - start, error=error, n=len(others), better="lower")
    return found


def _of_noise(noise: float) -> list[str]:
    if not noise:
        return []
    return [
        f"The model is one of data with noise of s.d. {noise:.3g}, as its chains hold them: data here have it, too."
    ]


def _halves(held: Batch, n: int) -> tuple[Batch, Tensor]:
    """Returns data to start from and others to compare with: as many, all different."""
    half = min(n, len(held) // 2)
    if half < 3:
        raise DataError(f"A long run needs 6 data at least, half of them to compare with; found {len(held)}.")
    starts = Batch(x=held.x[:half], y=None if held.y is None else held.y[:half])
    return starts, held.x[half : 2 * half]


def _verdict(run: LongRun, distances: Mapping[str, Estimate]) -> str:
    told = [f"{name} {z:+.1f}" for name, z in run.from_data.items() if abs(z) > BEYOND]
    moving = [f"{name} {z:+.1f}" for name, z in run.drift.items() if abs(z) > BEYOND]
    told += [
        f"energy distance{name.removeprefix(DRIFT)} {one.value / one.error:+.1f}"
        for name, one in distances.items()
        if name.startswith(DRIFT) and one.error and one.value / one.error > BEYOND
    ]
    if not told and not moving:
        return "The chains stay where the data are: nothing is beyond 4 standard errors."
    parts = [f"{', '.join(zs)} from {what}" for zs, what in ((told, "data"), (moving, "their start")) if zs]
    return f"The chains drift. In standard errors, the end is {'; '.join(parts)}."


def _pictures(model: Model, run: LongRun) -> dict[str, Image]:
    """Returns the start, the middle and the end of some chains: rows of images, or panels of the plane."""
    shape = tuple(model.data.event_shape)
    if len(shape) == 3 and shape[0] in (1, 3):
        rows = torch.cat([frame[:SHOWN] for frame in run.frames])
        columns = min(SHOWN, len(run.final))
        return {"start, middle, end": grid(to_uint8(rows, model.data.value_range), columns=columns, scale=2)}
    if shape == (2,):
        window = window_around(run.frames[0], run.final)
        clouds = list(zip(("start: held-out data", "middle", "end"), run.frames, strict=True))
        return {"start, middle, end": densities_picture([], window, clouds)}
    return {}


def build_drift(config: LongRunConfig, context: BuildContext) -> Drift:
    """Builds the metric."""
    return Drift(config)

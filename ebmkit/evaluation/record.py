"""An evaluation as it is kept: every number with its error, its definition, and what it depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isnan
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from ebmkit.errors import DataError
from ebmkit.evaluation.damage import check_json
from ebmkit.plain_files import read_json
from ebmkit.protocols.metric import Estimate, Measured

VERSION = 1
BINS = 40
FOLDER = "evaluation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What one metric found, and how.

    Attributes:
        name: of the metric.
        settings: of it.
        cite: from whom it is.
        definition: what was computed, of what.
        estimates: name → number.
        notes: what the reader must know.
        seconds: it took, sampling included where it was the first to ask for samples.
        histograms: title → {"edges": [...], "counts": {series: [...]}}.
        pictures: name → file name, once it is written.
        drawn: name → picture, before.
    """

    name: str
    settings: Mapping[str, Any]
    cite: str
    definition: str
    estimates: Mapping[str, Estimate]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    histograms: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    drawn: Mapping[str, Image] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The numbers of one model at one step; `print` them.

    Attributes:
        step: training steps of the model.
        seed: of chains, and of the choice of data.
        n: fresh chains that were asked for.
        n_data: data of each set that were asked for.
        weights: "averaged" or "last".
        sampling: how chains were made, in words; empty where no metric asked for any.
        metrics: in the order in which they were asked for.
        failures: metric → why it has no numbers.
        notes: what concerns all of them.
        seconds: in all.
        versions: of the packages.
    """

    step: int
    seed: int
    n: int
    n_data: int
    weights: str
    sampling: str
    metrics: tuple[Judgement, ...]
    failures: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)

    def metric(self, name: str) -> Judgement:
        """Returns what one metric found; raises KeyError where it was not asked."""
        return next(found for found in self.metrics if found.name == name)

    def __getitem__(self, name: str) -> Mapping[str, Estimate]:
        return self.metric(name).estimates

    def __str__(self) -> str:
        from ebmkit.evaluation.words import lines

        return "\n".join(lines(self))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


def judgement(name: str, settings: Mapping[str, Any], cite: str, measured: Measured, seconds: float) -> Judgement:
    """Returns what a metric found as it is kept.

    Raises:
        DataError: a number is not finite and not said to be infinite.
    """
    for key, estimate in measured.estimates.items():
        if estimate.value != estimate.value:
            raise DataError(f"Metric {name} found no number for '{key}': it is NaN.")
    return Judgement(
        name=name,
        settings=settings,
        cite=cite,
        definition=measured.definition,
        estimates={key: _with_error_if_any(estimate) for key, estimate in measured.estimates.items()},
        notes=measured.notes,
        seconds=seconds,
        histograms={title: binned(series) for title, series in measured.histograms.items()},
        drawn=measured.pictures,
    )


def _with_error_if_any(estimate: Estimate) -> Estimate:
    """Returns the number without an error that is NaN, as that of a single value is."""
    return replace(estimate, error=None) if estimate.error is not None and isnan(estimate.error) else estimate


def binned(series: Mapping[str, Tensor], bins: int = BINS) -> dict[str, Any]:
    """Returns the counts of several series of values over shared edges, from the .1 % to the 99.9 % quantile of all."""
    values = {name: value.detach().double().flatten().cpu() for name, value in series.items() if value.numel()}
    together = torch.cat([torch.empty(0, dtype=torch.float64), *values.values()])
    together = together[together.isfinite()]
    if not len(together):
        return {"edges": [], "counts": {}}
    low, high = (float(bound) for bound in (together.quantile(0.001), together.quantile(0.999)))
    edges = torch.linspace(low, max(high, low + 1e-12 + abs(low) * 1e-9), bins + 1, dtype=torch.float64)
    inside = {name: value.clamp(float(edges[0]), float(edges[-1])) for name, value in values.items()}
    counts = {name: torch.histogram(value, edges).hist.int().tolist() for name, value in inside.items()}
    return {"edges": edges.tolist(), "counts": counts}


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Returns an evaluation as it is written."""
    plain = {name: getattr(evaluation, name) for name in Evaluation.__dataclass_fields__ if name != "metrics"}
    metrics = [_metric_as_json(found) for found in evaluation.metrics]
    return {"version": VERSION, **plain, "metrics": metrics}


def _metric_as_json(found: Judgement) -> dict[str, Any]:
    kept = [name for name in Judgement.__dataclass_fields__ if name not in ("drawn", "estimates")]
    plain = {name: getattr(found, name) for name in kept}
    return {**plain, "estimates": {key: asdict(estimate) for key, estimate in found.estimates.items()}}


def from_json(raw: Mapping[str, Any], origin: str) -> Evaluation:
    """Returns an evaluation as it was written; raises DataError where it is of another version or damaged."""
    if raw.get("version") != VERSION:
        raise DataError(f"{origin} is an evaluation of version {raw.get('version')}; this is version {VERSION}.")
    try:
        check_json(raw)
        metrics = tuple(_metric_from_json(entry) for entry in raw["metrics"])
        plain = {name: raw[name] for name in Evaluation.__dataclass_fields__ if name != "metrics"}
        return Evaluation(**{**plain, "notes": tuple(plain["notes"]), "metrics": metrics})
    except KeyError as error:
        raise DataError(f"{origin} is damaged: it lacks {error}. Evaluate anew.") from error
    except TypeError as error:
        raise DataError(f"{origin} is damaged: {error}. Evaluate anew.") from error


def _metric_from_json(raw: Mapping[str, Any]) -> Judgement:
    plain = {name: raw[name] for name in Judgement.__dataclass_fields__ if name != "drawn"}
    estimates = {key: Estimate(**entry) for key, entry in raw["estimates"].items()}
    return Judgement(**{**plain, "notes": tuple(plain["notes"]), "estimates": estimates})


def read_evaluations(directory: Path) -> list[Evaluation]:
    """Returns the evaluations beside a run, by step, later ones of a step after earlier ones."""
    paths = sorted((directory / FOLDER).glob("step-*.json"), key=_order)
    return [from_json(_read(path), str(path)) for path in paths]


def _order(path: Path) -> tuple[int, int]:
    step, _, again = path.stem.removeprefix("step-").partition("-")
    return int(step), int(again or 1)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = read_json(path)
        return found
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error

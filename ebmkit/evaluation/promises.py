"""What a metric promises, held against what it does: one that breaks a promise is named, with what to mend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import get_args

from PIL.Image import Image
from torch import Tensor

from ebmkit.errors import EbmkitError, PluginError
from ebmkit.evaluation.subject import ModelSubject
from ebmkit.plugins.loading import describe
from ebmkit.protocols.metric import Better, Estimate, Measured, Metric
from ebmkit.rng import part_seed, seeded
from ebmkit.training.checker.streams import GlobalStreams


def measured_by(name: str, metric: Metric, subject: ModelSubject) -> Measured:
    """Returns what a metric found, once it is what was promised.

    Whatever it draws from torch's global random stream, as new networks do for weights that are then replaced, follows
    from the seed of the evaluation, and afterwards all global streams are as before: a run in training goes on as it
    would have.

    Raises:
        PluginError: it failed in a way that is no refusal, changed the samples that all metrics share, or returned
            something else than was promised.
        EbmkitError: its own refusal.
    """
    before = GlobalStreams.now()
    try:
        with seeded(part_seed(subject.seed, f"metric {name}")):
            measured = metric.measure(subject)
    except EbmkitError:
        raise
    except Exception as error:  # a stranger's metric may raise anything, and the other numbers are worth having
        raise PluginError(f"Metric {name} failed: {describe(error)}.") from error
    finally:
        before.restore()
        is_changed = subject.forget_changed_samples()
    if is_changed:
        raise PluginError(f"Metric {name} changed the samples, which all metrics share. Change a copy: x.clone().")
    for wrong in _wrong(measured):
        raise PluginError(f"Metric {name}: {wrong}")
    return replace(measured, notes=tuple(measured.notes))


def _wrong(measured: object) -> Iterator[str]:
    """Yields what is not as promised."""
    if not isinstance(measured, Measured):
        yield f"measure(subject) is to return ebmkit.Measured, found {type(measured).__name__}."
        return
    if not isinstance(measured.definition, str) or not measured.definition.strip():
        yield "it has no definition: say in one sentence what was computed, of what."
    if isinstance(measured.notes, str) or not all(isinstance(note, str) for note in measured.notes):
        yield "notes are a tuple of sentences."
    for key, estimate in measured.estimates.items():
        yield from _wrong_number(key, estimate)
    for title, series in measured.histograms.items():
        if not isinstance(series, Mapping) or not all(isinstance(values, Tensor) for values in series.values()):
            yield f"the histogram '{title}' is to be a mapping from series to their values, tensors [N]."
    for title, picture in measured.pictures.items():
        if not isinstance(picture, Image):
            yield f"the picture '{title}' is to be one of PIL, found {type(picture).__name__}."


def _wrong_number(key: object, estimate: object) -> Iterator[str]:
    """Yields what is wrong with one number."""
    if not isinstance(key, str) or not isinstance(estimate, Estimate):
        yield f"estimates map names to ebmkit.Estimate, found {key!r}: {type(estimate).__name__}."
        return
    for what, number in (("value", estimate.value), ("error", estimate.error)):
        if not isinstance(number, (int, float)) and (what, number) != ("error", None):
            yield f"the {what} of '{key}' is no Python number but {type(number).__name__}: write float(…)."
            return
    if estimate.error is not None and estimate.error < 0:
        yield f"the error of '{key}' is {estimate.error:g}, and a standard error is not below 0."
    if not isinstance(estimate.n, int) or estimate.better not in get_args(Better):
        yield f"'{key}' has n = {estimate.n!r}, better = {estimate.better!r}: a whole number, and one of {_BETTER}."


_BETTER = ", ".join(f"'{word}'" for word in get_args(Better))

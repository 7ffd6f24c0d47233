"""Out-of-distribution detection with a trained model: a value for each datum, and a threshold that was calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ebmkit.display.doing import doing
from ebmkit.errors import DataError, RecipeError
from ebmkit.evaluation.clean_energy import CleanEnergy, checked_rows
from ebmkit.evaluation.other_data import other_data
from ebmkit.metrics.detection.formulas import LATENT_BETA, Asked
from ebmkit.metrics.detection.held_out import HeldOut, held_out, training_rows
from ebmkit.metrics.detection.references import TRAINING
from ebmkit.metrics.detection.scored import Scored
from ebmkit.metrics.detection.scores import OodScore, Reference, Values, score_named, values_with
from ebmkit.rng import stream
from ebmkit.sampling.model import Model

CALIBRATION = 5_000
"""Held-out data that a threshold is calibrated on at most; those of a median come on top."""

MEDIAN_SHARE = 5
"""For so many held-out data that give a threshold, one more gives the median of a score that is a distance from it."""

CONVENTION = (
    "a datum is flagged where its {score} is above the threshold, the ⌈(1 − fpr)(n + 1)⌉-th smallest of n held-out data"
)


class HasModel(Protocol):
    """What holds a model: a run."""

    @property
    def model(self) -> Model:
        """The model."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Detector:
    """A value for each x, and the threshold above which x counts as out of distribution; see `detector`.

    Attributes:
        values: of any x, as `scores` gives them.
        threshold: calibrated, in units of the value.
        fpr: share of new in-distribution data that are flagged at most, on average over calibrations.
        n: held-out data that the threshold was calibrated on.
        origin: what these data are: "test data".
        seed: of the choice of the held-out data.
        notes: what is to be known of the calibration.
    """

    values: Values
    threshold: float
    fpr: float
    n: int
    origin: str
    seed: int
    notes: tuple[str, ...] = ()

    def scores(self, x: Tensor | np.ndarray[Any, Any]) -> Tensor:
        """Returns the values [N], float64 on the CPU, of x [N, *event] in the value range of the data.

        Raises:
            DataError: x has another shape, is empty, or is not finite.
            DivergenceError: a value is not finite.
        """
        return self.values(checked_rows(torch.as_tensor(x), self.values.asked.model.data.event_shape))

    def flagged(self, x: Tensor | np.ndarray[Any, Any]) -> Tensor:
        """Returns [N] bool: the values above the threshold."""
        return self.scores(x) > self.threshold

    def scored(self, data: str, n: int | None = None, *, seed: int | None = None) -> Scored:
        """Returns a data set with its values: what `ebmkit score` writes.

        Args:
            data: as in `--data`: "mnist:FOLDER", "npz:FILE", "folder:DIR".
            n: rows, chosen at random; unset, all.
            seed: of the choice and of the dequantisation; unset, that of the detector.
        """
        doing(f"reading {data}")
        rng = stream(self.seed if seed is None else seed, 0, f"score/{data}")
        found = other_data(data, self.values.asked.model.data, n, rng)
        doing(f"scoring {len(found.batch):,} data")
        values = self.scores(found.batch.x)
        flagged = values > self.threshold
        return Scored(
            rows=found.rows, scores=values, flagged=flagged, labels=found.batch.y, notes=found.notes,
            by=self.score.name, fpr=self.fpr,
        )  # fmt: skip

    @property
    def score(self) -> OodScore:
        """Which value it is: its `name`, its `meaning` and its `unit`."""
        return self.values.score

    @property
    def convention(self) -> str:
        """What the threshold is, in words."""
        return CONVENTION.format(score=self.score.name)

    def __repr__(self) -> str:
        score = self.score
        where = f"{score.name} > {self.threshold:.6g} {score.unit}"
        return f"Detector({where}; fpr = {self.fpr:g}, n = {self.n:,} {self.origin})"


def detector(
    model: Model | HasModel,
    *,
    fpr: float = 0.05,
    score: str | None = None,
    x: Tensor | np.ndarray[Any, Any] | None = None,
    seed: int | None = None,
    beta: float = LATENT_BETA,
) -> Detector:
    """Returns an out-of-distribution detector: a value of each x, and a threshold calibrated on held-out data.

    Its threshold is the ⌈(1 − fpr)(n + 1)⌉-th smallest value of n held-out data, which flags new data of their law with
    a probability of at most fpr (split conformal prediction). How many data of another law it flags is for
    `ebmkit eval --metric ood` to measure: where an energy does not separate them, no threshold does.

    Args:
        model: a model or run.
        fpr: share of in-distribution data to be flagged at most.
        score: "energy", "energy/T", "level-0", "latent-joint", "level-marginal", "level-ratio", "gradient-norm",
            "typicality", "feature-distance" or "input-distance", as far as the model has it; unset,
            "feature-distance" of images, else "energy".
        x: held-out data [N, *event] to calibrate on; unset, the test part of the run's data, or where it has none the
            last of the training data, which is noted.
        seed: of the choice of the held-out data; unset, that of the run.
        beta: of "latent-joint", nats.

    Raises:
        RecipeError: there is no score of that name, or fpr is not between 0 and 1.
        CapabilityError: the model lacks the score.
        DataError: the data of the run cannot be had, or are too few for so small an fpr.

    Source: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005; Bates, Candès, Lei, Romano, Sesia,
    Testing for outliers with conformal p-values, Annals of Statistics 2023.
    """
    inner = _model_of(model)
    if not 0 < fpr < 1:
        raise RecipeError(f"fpr is the share of in-distribution data to be flagged, between 0 and 1; found {fpr:g}.")
    kind = score_named(inner, score)
    seed = inner.recipe.table("run").seed if seed is None else seed
    held = _held(inner, x, kind, seed)
    doing(f"calibrating on {len(held.x):,} held-out data")
    own, rest = split_for_median(held.x) if kind.reference == "held-out" else (held.x[:0], held.x)
    values = _valued(inner, kind, beta, own, seed)
    return Detector(
        values=values, threshold=threshold_of(values(rest), fpr), fpr=fpr, n=len(rest), origin=held.origin, seed=seed,
        notes=held.notes,
    )  # fmt: skip


def ood_scores(
    model: Model | HasModel,
    x: Tensor | np.ndarray[Any, Any],
    score: str | None = None,
    *,
    beta: float = LATENT_BETA,
) -> Tensor:
    """Returns a value of each x that is to be higher out of distribution: [N], float64 on the CPU.

    Args:
        model: a model or run.
        x: [N, *event], in the value range of the data.
        score: as in `detector`. A typicality and a feature-distance read data of the run that they are distances from.
        beta: of "latent-joint", nats.

    Raises:
        RecipeError, CapabilityError: there is no score of that name, or the model lacks it.
        DataError: x has another shape, is empty, or is not finite.
        DivergenceError: a value is not finite.
    """
    inner = _model_of(model)
    kind = score_named(inner, score)
    seed = inner.recipe.table("run").seed if kind.reference else 0
    own = split_for_median(_held(inner, None, kind, seed).x)[0] if kind.reference == "held-out" else torch.empty(0)
    return _valued(inner, kind, beta, own, seed)(checked_rows(torch.as_tensor(x), inner.data.event_shape))


def threshold_of(values: Tensor, fpr: float) -> float:
    """Returns the ⌈(1 − fpr)(n + 1)⌉-th smallest of n values; raises DataError where n is too few for such an fpr.

    >>> threshold_of(torch.arange(1.0, 20.0), 0.05)
    19.0
    """
    n = len(values)
    place = ceil(round((1 - fpr) * (n + 1), 9))
    if place > n:
        raise DataError(
            f"To flag a share of {fpr:g} of in-distribution data takes {ceil(round(1 / fpr, 9)) - 1} held-out data or "
            f"more, found {n}. Give more of them, or a larger fpr."
        )
    return float(values.sort().values[max(place, 1) - 1])


def split_for_median(x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the data [N, *event] that give a median, the last sixth, and those before."""
    n = max(1, len(x) // (MEDIAN_SHARE + 1))
    return x[len(x) - n :], x[: len(x) - n]


def _valued(model: Model, score: OodScore, beta: float, own: Tensor, seed: int) -> Values:
    """Returns the values of a name, their reference measured on `own` held-out data, or on training data of the run."""

    def reference(kind: Reference) -> Tensor:
        return own if kind == "held-out" else training_rows(model, TRAINING, seed)

    return values_with(Asked(model=model, energy=CleanEnergy(model), beta=beta), score, reference)


def _held(model: Model, x: Tensor | np.ndarray[Any, Any] | None, score: OodScore, seed: int) -> HeldOut:
    if x is not None:
        return HeldOut(x=checked_rows(torch.as_tensor(x), model.data.event_shape), origin="given data", notes=())
    for_median = CALIBRATION // MEDIAN_SHARE if score.reference == "held-out" else 0
    return held_out(model, CALIBRATION + for_median, seed)


def _model_of(model: Model | HasModel) -> Model:
    inner: Any = getattr(model, "model", model)
    if not hasattr(inner, "coordinates"):
        raise RecipeError(
            f"Out-of-distribution values are those of a model or run, found {type(model).__name__}. Of a bare energy "
            "the value is the energy itself."
        )
    found: Model = inner
    return found

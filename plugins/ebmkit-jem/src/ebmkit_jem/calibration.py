"""`calibration`: are the model's own classes right, and as often as it says?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional

from ebmkit import (
    BuildContext,
    DataError,
    Estimate,
    Measured,
    Point,
    Subject,
    bootstrap,
    standard_error,
    values_of,
    view,
)
from ebmkit_jem.declarations import CalibrationConfig
from ebmkit_jem.logit_head import LOGITS

DEFINITION = (
    "The model's own classes, the most likely ones of p(y | x) = softmax of its logits: accuracy on held-out data; "
    "expected calibration error, the mean over {bins} bins of equal width in the confidence of |accuracy − mean "
    "confidence|, weighted by the share of data in them; cross-entropy; confidence, the mean probability of the most "
    "likely class, also of samples. Errors: standard errors of means, of the calibration error by {draws} bootstrap "
    "draws; it is biased upwards, by about {floor:.2g} here where nothing is wrong"
)
ROWS = 256
"""Rows of a pass."""


def calibration_error(confidence: Tensor, right: Tensor, bins: int) -> float:
    """Returns Σ_b (n_b/N)·|mean right − mean confidence|, bins of equal width in (0, 1].

    Args:
        confidence: probability of the predicted class [N].
        right: whether it is the class [N].
        bins: how many.

    Source: Guo et al. (2017), eq. 3.

    >>> calibration_error(torch.tensor([0.75, 0.75]), torch.tensor([True, False]), 10)
    0.25
    """
    place = (confidence.double() * bins).ceil().long().clamp(1, bins) - 1
    excess = torch.zeros(bins, dtype=torch.float64).index_add(0, place, right.double() - confidence.double())
    return round(float(excess.abs().sum()) / len(confidence), 12)


def expected_floor(confidence: Tensor, bins: int) -> float:
    """Returns about what the calibration error of so many data is where every confidence is right.

    Σ_b E|Σ_i (right_i − confidence_i)|/N over the rows of a bin, each sum taken as normal.
    """
    place = (confidence.double() * bins).ceil().long().clamp(1, bins) - 1
    spread = (confidence * (1 - confidence)).double()
    variance = torch.zeros(bins, dtype=torch.float64).index_add(0, place, spread)
    return float((2 / torch.pi * variance).sqrt().sum()) / len(confidence)


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Measures the classes of held-out data, and the confidence in samples."""

    config: CalibrationConfig

    def measure(self, subject: Subject) -> Measured:
        """Returns accuracy, calibration error, cross-entropy and confidence; DataError where data have no labels."""
        held_out = subject.held_out()
        if held_out.y is None:
            raise DataError("Calibration is measured on labels, but the held-out data have none: leave it out.")
        logits, y = logits_of(subject.model, held_out.x), held_out.y.cpu().long()
        drawn = logits_of(subject.model, subject.samples().x).softmax(dim=1).amax(dim=1)
        confidence = logits.softmax(dim=1).amax(dim=1)
        estimates = self._of_data(logits, y, subject.rng("bootstrap calibration"))
        estimates["confidence: samples"] = _mean(drawn)
        return Measured(
            estimates=estimates,
            definition=DEFINITION.format(
                bins=self.config.bins, draws=self.config.resamples, floor=expected_floor(confidence, self.config.bins)
            ),
            histograms={"confidence of the model": {"held-out data": confidence, "samples": drawn}},
        )

    def _of_data(self, logits: Tensor, y: Tensor, rng: Generator) -> dict[str, Estimate]:
        confidence, predicted = logits.softmax(dim=1).max(dim=1)
        right, bins = predicted == y, self.config.bins

        def error(rows: Tensor) -> float:
            return calibration_error(rows[:, 0], rows[:, 1] > 0, bins)

        both = torch.stack([confidence, right.to(confidence)], dim=1)
        spread = bootstrap(error, both, rng=rng, resamples=self.config.resamples)
        found = calibration_error(confidence, right, bins)
        return {
            "accuracy: held-out data": _mean(right.double(), "higher"),
            "calibration error: held-out data": Estimate(value=found, error=spread, n=len(y), better="lower"),
            "cross-entropy: held-out data": _mean(
                functional.cross_entropy(logits, y, reduction="none"), "lower", "nats"
            ),
            "confidence: held-out data": _mean(confidence),
        }


@torch.no_grad()
def logits_of(model: Any, x: Tensor) -> Tensor:
    """Returns the logits [N, K] that a model gives data x [N, *event], a few rows at a time, float64 on the CPU."""
    energy = view(model.energy, "fp32").constant
    passes = [values_of(energy, Point(x=rows.to(model.device)), LOGITS)[LOGITS] for rows in torch.split(x, ROWS)]
    return torch.cat(passes).double().cpu()


def _mean(values: Tensor, better: Any = "", unit: str = "") -> Estimate:
    return Estimate(value=float(values.mean()), error=standard_error(values), n=len(values), better=better, unit=unit)


def build_calibration(config: CalibrationConfig, context: BuildContext) -> Calibration:
    """Returns the metric."""
    return Calibration(config=config)

"""`precision-recall`: which samples lie among the data, and which data among the samples, on named features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmkit.errors import DataError
from ebmkit.evaluation.uncertainty import share_error
from ebmkit.metrics.declarations.features import PrecisionRecallConfig
from ebmkit.metrics.features.sets import feature_sets, features_of
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Better, Estimate, Measured, Subject

CHUNK = 500

DEFINITION = (
    "Precision is the share of samples inside the manifold of training images, recall the share of training images "
    "inside that of samples. A manifold is the union of balls about {n:,} images of a set on the features '{name}' "
    "[{d}], each with the distance to its {ordinal} nearest neighbour of that set as radius; error: of the share, "
    "manifold held fixed"
)


def manifold_radii(centres: Tensor, k: int) -> Tensor:
    """Returns the distance [N] of each row of [N, D] to its k-th nearest neighbour among the others."""
    found = []
    for first in range(0, len(centres), CHUNK):
        distance = _distances(centres[first : first + CHUNK], centres)
        rows = torch.arange(len(distance))
        distance[rows, first + rows] = torch.inf
        found.append(distance.kthvalue(k, dim=1).values)
    return torch.cat(found)


def inside(x: Tensor, centres: Tensor, radii: Tensor) -> Tensor:
    """Returns whether each row of x [B, D] lies in a ball about any of the centres [N, D], bool [B]."""
    return torch.cat([(_distances(rows, centres) <= radii).any(dim=1) for rows in torch.split(x, CHUNK)])


def precision_recall(samples: Tensor, data: Tensor, k: int) -> tuple[float, float]:
    """Returns (precision, recall) of samples [N, D] against data [N, D].

    Source: Kynkäänniemi, Karras, Laine, Lehtinen, Aila (2019), Improved precision and recall metric for assessing
    generative models, equations 1 and 2.

    Raises:
        DataError: the sets have different counts, or no more rows than k.
    """
    if len(samples) != len(data):
        raise DataError(f"Precision and recall want as many samples as data, found {len(samples)} and {len(data)}.")
    if len(data) <= k:
        raise DataError(f"The {k}-th neighbour needs at least {k + 1} images a set, found {len(data)}.")
    precision = inside(samples, data, manifold_radii(data, k))
    recall = inside(data, samples, manifold_radii(samples, k))
    return float(precision.float().mean()), float(recall.float().mean())


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """Returns the Euclidean distances [B, N], exact where rows nearly agree."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


@dataclass(frozen=True, kw_only=True, slots=True)
class PrecisionRecall:
    """Measures samples against training data, and test images against the same."""

    config: PrecisionRecallConfig

    def measure(self, subject: Subject) -> Measured:
        """Returns precision and recall of samples and of test images, each at equal counts."""
        features = features_of(subject, self.config.features)
        sets = feature_sets(subject, features)
        who = {"samples": sets.samples} | ({} if sets.real is None else {f"{sets.where} images": sets.real})
        estimates, n = dict[str, Estimate](), min(len(sets.samples), len(sets.reference))
        for row, rows in who.items():
            count = min(len(rows), n)
            better: Better = "higher" if row == "samples" else ""
            found = precision_recall(rows[:count], sets.reference[:count], self.config.k)
            for column, value in zip(("precision", "recall"), found, strict=True):
                key = f"{row}: {column}-{features.name}"
                estimates[key] = Estimate(value=value, error=share_error(value, count), n=count, better=better)
        definition = DEFINITION.format(n=n, name=features.name, d=features.n_features, ordinal=_ordinal(self.config.k))
        return Measured(estimates=estimates, definition=definition, notes=sets.notes)


def _ordinal(k: int) -> str:
    """Returns "3rd" for 3."""
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{k}{'th' if k // 10 % 10 == 1 else endings.get(k % 10, 'th')}"


def build_precision_recall(config: PrecisionRecallConfig, context: BuildContext) -> PrecisionRecall:
    """Returns the metric."""
    return PrecisionRecall(config=config)

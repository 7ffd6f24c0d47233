"""`kid`: the kernel distance of two sets of images on named features, without bias at any number of images."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from ebmkit.errors import DataError
from ebmkit.metrics.declarations.features import KidConfig
from ebmkit.metrics.features.sets import feature_sets, features_of
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Estimate, Measured, Subject

GROUPS = 10
"""Parts of the rows, each of which is left out once for the error."""

DEFINITION = (
    "Squared maximum mean discrepancy with the kernel (fᵀf'/D + 1)³ on the features '{name}' [{d}], unbiased, so that "
    "it is about 0 (or below) for equal laws; {n:,} samples against as many training images in {subsets} of at most "
    "{size:,}; error: jackknife over {groups} groups, √2 too large where the laws are equal"
)


def kernel_distance(features: Tensor, reference: Tensor, subset_size: int = 1000) -> tuple[float, float]:
    """Returns the MMD² of features [N, D] and [M, D] and its standard error, from the first min(N, M) rows of each.

    The rows are cut into disjoint subsets of equal size, of which the mean is taken. The error leaves out one of ten
    groups of rows at a time; where the laws are equal, its square is twice the variance (Efron, Stein, 1981).

    Source: Bińkowski, Sutherland, Arbel, Gretton (2018), Demystifying MMD GANs, section 4; kernel and estimate of a
    subset are those of torchmetrics. Departure: their subsets overlap, and have no standard error for that reason.

    Args:
        features: in random order.
        reference: in random order.
        subset_size: the most rows of a subset, which bounds the memory.

    Raises:
        DataError: too few rows for the error.
    """
    n = min(len(features), len(reference))
    if n < 3 * GROUPS:
        raise DataError(f"kid needs at least {3 * GROUPS} images a set for its error, found {n}.")
    x, y = features[:n].double(), reference[:n].double()
    group = torch.arange(n) % GROUPS
    without = torch.tensor([_mean_of_subsets(x[group != g], y[group != g], subset_size) for g in range(GROUPS)])
    variance = (GROUPS - 1) / GROUPS * (without - without.mean()).square().sum()
    return _mean_of_subsets(x, y, subset_size), float(variance.sqrt())


def _mean_of_subsets(x: Tensor, y: Tensor, subset_size: int) -> float:
    parts = ceil(len(x) / subset_size)
    pairs = zip(torch.tensor_split(y, parts), torch.tensor_split(x, parts), strict=True)
    return float(torch.stack([poly_mmd(real, ours) for real, ours in pairs]).mean())


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelDistance:
    """Measures samples against training data, and test images against the same."""

    config: KidConfig

    def measure(self, subject: Subject) -> Measured:
        """Returns "kid-NAME", and the distance of test images beside it."""
        features = features_of(subject, self.config.features)
        sets = feature_sets(subject, features)
        size, n = self.config.subset_size, min(len(sets.samples), len(sets.reference))
        estimates = {}
        for title, rows, better in sets.rows(f"kid-{features.name}"):
            value, error = kernel_distance(rows, sets.reference, size)
            count = min(len(rows), len(sets.reference))
            estimates[title] = Estimate(value=value, error=error, n=count, better=better)
        subsets = ceil(n / size)
        definition = DEFINITION.format(
            name=features.name, d=features.n_features, n=n, size=size, groups=GROUPS,
            subsets=f"{subsets} subset{'s' if subsets > 1 else ''}",
        )  # fmt: skip
        return Measured(estimates=estimates, definition=definition, notes=sets.notes)


def build_kid(config: KidConfig, context: BuildContext) -> KernelDistance:
    """Returns the metric."""
    return KernelDistance(config=config)

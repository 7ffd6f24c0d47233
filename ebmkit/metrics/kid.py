"""`kid`: the kernel distance of two sets of images on named features, without bias at any number of images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from ebmkit.errors import DataError
from ebmkit.metrics.declarations.features import KidConfig
from ebmkit.metrics.on_features import feature_sets, features_of
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Estimate, Measured, Subject

SMALLEST = 10
"""Images of a subset; with fewer the error of an estimate says little."""

DEFINITION = (
    "Squared maximum mean discrepancy with the kernel (fᵀf'/D + 1)³ on the features '{name}' [{d}], unbiased, mean "
    "over {n} disjoint pairs of subsets of {size} samples and {size} training images; error: their s.d. / √{n}"
)


def kernel_distance(features: Tensor, reference: Tensor, subset_size: int) -> tuple[float, float, int]:
    """Returns the mean MMD² of disjoint pairs of subsets, its standard error, and how many pairs there are.

    Each pair gives an independent and unbiased estimate, so its s.d. / √pairs is a standard error. Below zero means no
    more than noise.

    Source: Bińkowski, Sutherland, Arbel, Gretton (2018), Demystifying MMD GANs, section 4; the kernel and the estimate
    are those of torchmetrics. Departure: subsets are disjoint (Zaremba, Gretton, Blaschko, 2013), as the usual
    overlapping ones have no error.

    Args:
        features: [N, D], in random order.
        reference: [M, D], in random order.
        subset_size: images of each subset; 0 for a tenth of the smaller set.

    Raises:
        DataError: too few images for two pairs of subsets.
    """
    fewest = min(len(features), len(reference))
    size = subset_size or max(fewest // 10, SMALLEST)
    n = fewest // size
    if n < 2:
        raise DataError(
            f"kid takes two subsets of {size} images or more from each set, which is {2 * size}; found {fewest} "
            f"images. Ask for more images, or for subset_size of at most {fewest // 2}."
        )
    pairs = zip(
        torch.split(features[: n * size].double(), size), torch.split(reference[: n * size].double(), size), strict=True
    )
    found = torch.stack([poly_mmd(theirs, ours) for ours, theirs in pairs])
    return float(found.mean()), float(found.std() / n**0.5), n


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelDistance:
    """Measures samples against training data, and test images against the same."""

    config: KidConfig

    def measure(self, subject: Subject) -> Measured:
        """Returns "kid-NAME", and the distance of test images beside it."""
        features = features_of(subject, self.config.features)
        sets = feature_sets(subject, features)
        estimates = {}
        pairs = 0
        for title, rows, better in sets.rows(f"kid-{features.name}"):
            value, error, n = kernel_distance(rows, sets.reference, self.config.subset_size)
            pairs = pairs or n
            estimates[title] = Estimate(value, error, len(rows), better)
        size = self.config.subset_size or min(len(sets.samples), len(sets.reference)) // pairs
        definition = DEFINITION.format(name=features.name, d=features.n_features, n=pairs, size=size)
        return Measured(estimates, definition, notes=sets.notes)


def build_kid(config: KidConfig, context: BuildContext) -> KernelDistance:
    """Returns the metric."""
    return KernelDistance(config=config)

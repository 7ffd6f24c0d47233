"""`fd`: the Fréchet distance of two sets of images, by Gaussians fitted to named features."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from ebmkit.errors import DataError
from ebmkit.evaluation.uncertainty import bootstrap
from ebmkit.metrics.declarations.features import FdConfig
from ebmkit.metrics.features.sets import Sets, feature_sets, features_of
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Estimate, Measured, Subject

DEFINITION = (
    "Fréchet distance |μ − μ'|² + tr(Σ + Σ' − 2 (Σ Σ')^½) of Gaussians fitted to the features '{name}' [{d}] "
    "of {samples:,} samples and of {data:,} training images. It falls with the number of images: compare it at these "
    "counts alone"
)
SPREAD = (
    "The errors are the spread of {draws} bootstrap draws. The draws themselves lie too high, as they repeat images: "
    "only their spread is used."
)


class _Given(nn.Module):
    """What torchmetrics takes for the network: the features are there already."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.num_features = n_features

    def forward(self, features: Tensor) -> Tensor:
        """Returns its argument."""
        return features


def frechet_distance(features: Tensor, reference: Tensor) -> float:
    """Returns the Fréchet distance of Gaussians fitted to features [N, D] and [M, D], with (N − 1) covariances.

    The features are moved by the mean of the reference first, which changes nothing but the digits lost.

    Source: Dowson, Landau (1982), The Fréchet distance between multivariate normal distributions; for images Heusel,
    Ramsauer, Unterthiner, Nessler, Hochreiter (2017), section 3. The arithmetic is that of torchmetrics.

    Raises:
        DataError: no more rows than features, so that a covariance has no full rank.
    """
    d = reference.shape[1]
    check_counts(len(features), len(reference), d)
    middle = reference.double().mean(dim=0)
    distance = FrechetInceptionDistance(feature=_Given(d))
    distance.update(reference.double() - middle, real=True)
    distance.update(features.double() - middle, real=False)
    return max(float(distance.compute()), 0.0)


def check_counts(n: int, n_reference: int, n_features: int) -> None:
    """Raises DataError where one of two sets has too few rows for a covariance of so many features."""
    fewest = min(n, n_reference)
    if fewest <= n_features:
        raise DataError(
            f"A covariance of {n_features:,} features needs at least {n_features + 1:,} images a set, found "
            f"{fewest:,}: ask for more images, or use kid, which needs no covariance."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FrechetDistance:
    """Measures samples against training data, and test images against the same for a floor."""

    config: FdConfig

    def measure(self, subject: Subject) -> Measured:
        """Returns "fd-NAME", and the distance of test images beside it."""
        features = features_of(subject, self.config.features)
        check_counts(subject.n, subject.n_data, features.n_features)
        sets = feature_sets(subject, features)
        return frechet_measured(subject, sets, f"fd-{features.name}", self.config.bootstrap, features.name)


def frechet_measured(subject: Subject, sets: Sets, key: str, draws: int, name: str) -> Measured:
    """Returns the distance of samples to training data under a key, and that of real images beside it."""
    rng = subject.rng(f"bootstrap {key}")
    estimates = {
        title: Estimate(
            value=frechet_distance(rows, sets.reference),
            error=bootstrap(frechet_distance, rows, sets.reference, rng=rng, resamples=draws),
            n=len(rows),
            better=better,
        )
        for title, rows, better in sets.rows(key)
    }
    definition = DEFINITION.format(
        name=name, d=sets.reference.shape[1], samples=len(sets.samples), data=len(sets.reference)
    )
    return Measured(estimates=estimates, definition=definition, notes=(*sets.notes, SPREAD.format(draws=draws)))


def build_fd(config: FdConfig, context: BuildContext) -> FrechetDistance:
    """Returns the metric."""
    return FrechetDistance(config=config)

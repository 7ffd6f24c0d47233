"""Distances from reference data: of a number from its median, of features from the Gaussian that fits them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ebmkit.errors import DataError

RIDGE = 1e-6
"""Of the mean variance, added to every variance: a feature that is constant in the reference has none."""

TRAINING = 5_000
"""Training data that a covariance is taken of, at most."""

Distance = Callable[[Tensor], Tensor]


def distance_from_median(reference: Tensor) -> Distance:
    """Returns v [N] → |v − m|, m the median of the reference values [M].

    Source: Nalisnick et al., 2019, their test of a batch, here of one datum.
    """
    median = reference.median()
    return lambda values: (values - median).abs()


def distance_from_gaussian(reference: Tensor) -> Distance:
    """Returns f [N, F] → √((f − μ)ᵀ Σ⁻¹ (f − μ)) [N], μ and Σ the mean and covariance of the reference [M, F].

    Raises:
        DataError: no more reference data than features, or all of them are constant: their covariance has no inverse.

    Source: Lee, Lee, Lee, Shin, NeurIPS 2018, with all data as one class, as Sehwag, Chiang, Mittal, ICLR 2021.
    """
    n, n_features = reference.shape
    if n <= n_features:
        raise DataError(
            f"The covariance of {n_features} features needs {n_features + 1} training data or more, found {n}."
        )
    mean, covariance = reference.mean(dim=0), torch.cov(reference.T).reshape(n_features, n_features)
    spread = covariance.diagonal().mean()
    if not spread > 0:
        raise DataError(
            f"All {n_features} features are the same for all {n} training data: no distance from them can be had."
        )
    factor = torch.linalg.cholesky(covariance + RIDGE * spread * torch.eye(n_features, dtype=reference.dtype))

    def distance(features: Tensor) -> Tensor:
        whitened: Tensor = torch.linalg.solve_triangular(factor, (features - mean).T, upper=False)
        return whitened.square().sum(dim=0).sqrt()

    return distance

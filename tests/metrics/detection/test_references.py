"""Distances from reference data: the closed forms, and a double without the covariance that fails them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from ebmkit.errors import DataError
from ebmkit.metrics.detection.references import distance_from_gaussian, distance_from_median

SHAPE = torch.tensor([[3.0, 0.0], [2.0, 0.1]], dtype=torch.float64)


def drawn(n: int, seed: int) -> Tensor:
    return torch.randn(n, 2, dtype=torch.float64, generator=Generator().manual_seed(seed)) @ SHAPE.T + 5


def is_chi(distance: Any) -> bool:
    """Whether the squared distance of two features, of the law of the reference, has mean 2 and variance 4."""
    squares = distance(drawn(20_000, 1))(drawn(20_000, 2)).square()
    return abs(float(squares.mean()) - 2) < 0.1 and abs(float(squares.var()) - 4) < 0.4


def euclidean(reference: Tensor) -> Any:
    return lambda features: (features - reference.mean(dim=0)).norm(dim=1)


def test_the_distance_from_a_gaussian_is_chi_distributed() -> None:
    assert is_chi(distance_from_gaussian)


def test_a_distance_without_the_covariance_is_not() -> None:
    assert not is_chi(euclidean)


def test_the_distance_does_not_know_the_scale_of_features() -> None:
    one = distance_from_gaussian(drawn(200, 1))(drawn(50, 2))
    other = distance_from_gaussian(1e-4 * drawn(200, 1))(1e-4 * drawn(50, 2))
    assert torch.allclose(one, other)


def test_a_feature_that_never_changes_is_no_obstacle() -> None:
    reference = torch.cat([drawn(100, 1), torch.ones(100, 1)], dim=1)
    found = distance_from_gaussian(reference)
    assert bool(torch.isfinite(found(reference)).all())
    assert float(found(reference[:1] + torch.tensor([0, 0, 1.0])).item()) > float(found(reference[:1]).item())


def test_too_few_data_for_a_covariance_are_refused() -> None:
    with pytest.raises(DataError, match="covariance of 2 features needs 3 training data or more, found 2"):
        distance_from_gaussian(drawn(2, 1))


def test_a_reference_of_one_value_is_refused() -> None:
    with pytest.raises(DataError, match="All 2 features are the same for all 9 training data"):
        distance_from_gaussian(torch.ones(9, 2).double())


def test_the_distance_from_a_median() -> None:
    assert distance_from_median(torch.tensor([1.0, 2.0, 9.0]))(torch.tensor([0.0, 2.0, 5.0])).tolist() == [2, 0, 3]

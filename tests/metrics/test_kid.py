"""Unbiased: zero within its error for equal laws, at any count; known for laws whose kernel means are known."""

from __future__ import annotations

import pytest
import torch

import ebmkit
from ebmkit.errors import DataError
from ebmkit.metrics.declarations.features import KidConfig
from ebmkit.metrics.kid import build_kid, kernel_distance
from ebmkit.plugins.context import BuildContext
from tests.metrics.planted_features import FLAT, Given


def normal(n: int, seed: int, shift: float = 0.0, d: int = 3) -> torch.Tensor:
    return torch.randn(n, d, generator=ebmkit.stream(seed, 0, "kid")) + shift


def biased(features, reference, size):
    """A wrong double: the mean of the kernel with its diagonal, which is never below zero."""
    kernel = lambda a, b: float((a @ b.T / a.shape[1] + 1).pow(3).mean())  # noqa: E731
    return kernel(features, features) + kernel(reference, reference) - 2 * kernel(features, reference), 0.0


def trials(distance, shift: float, size: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns values and errors of forty pairs of fresh sets."""
    found = [distance(normal(200, 2 * i, shift), normal(200, 2 * i + 1), size) for i in range(40)]
    values, errors = zip(*found, strict=True)
    return torch.tensor(values), torch.tensor(errors)


def off(distance, shift: float, exact: float, size: int = 20) -> float:
    """Returns how many standard errors the mean over fresh sets lies from the exact value."""
    values, _ = trials(distance, shift, size)
    return float((values.mean() - exact) / (values.std() / 40**0.5))


def exact(shift: float, d: int = 3) -> float:
    """MMD² of N(s 1, I) and N(0, I) in d dimensions under (xᵀy/d + 1)³, from the moments of xᵀy.

    With m = E x, the tensors E[x^⊗k] of the two laws differ by m for k = 1; by mmᵀ for k = 2; for k = 3 by m⊗m⊗m and
    three times m⊗I, of squared norm |m|⁶ + 6|m|⁴ + (3d + 6)|m|².
    """
    m = d * shift**2
    return 3 * m / d + 3 * m**2 / d**2 + (m**3 + 6 * m**2 + (3 * d + 6) * m) / d**3


@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize("size", [20, 200])
def test_the_estimate_is_unbiased_whatever_the_subsets(shift, size):
    assert abs(off(kernel_distance, shift, exact(shift), size)) < 3.5


def test_an_estimate_with_the_diagonal_is_found_out():
    assert off(biased, 0.0, 0.0) > 10


def test_the_error_is_how_the_value_varies():
    """For equal laws it is too large by about √2, as is said."""
    values, errors = trials(kernel_distance, 0.5, 200)
    assert 0.75 < float(errors.mean() / values.std()) < 1.33
    values, errors = trials(kernel_distance, 0.0, 200)
    assert 1.0 < float(errors.square().mean().sqrt() / values.std()) < 2.0


def test_equal_laws_are_at_no_distance_within_the_error():
    values, errors = trials(kernel_distance, 0.0, 200)
    assert int((values.abs() < 2.5 * errors).sum()) >= 38 and bool((values < 0).any())


def test_too_few_images_are_refused_with_the_count():
    with pytest.raises(DataError, match=r"at least 30 images a set for its error, found 29"):
        kernel_distance(normal(29, 0), normal(300, 1))


def test_the_metric_names_its_features_and_subsets():
    draw = [torch.rand(n, 1, 2, 2, generator=ebmkit.stream(i, 0, "k")) for i, n in enumerate([200, 500, 200])]
    given = Given(x=draw[0] * 0.5, train=draw[1], test=draw[2])
    found = build_kid(KidConfig(features=FLAT, subset_size=150), BuildContext()).measure(given)
    one, floor = found.estimates["kid-Flat"], found.estimates["kid-Flat of test images"]
    assert one.value > 5 * one.error and abs(floor.value) < 4 * floor.error
    assert "200 samples against as many training images in 2 subsets of at most 150" in found.definition

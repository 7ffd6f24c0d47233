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
    kernel = lambda a, b: (a @ b.T / a.shape[1] + 1) ** 3  # noqa: E731
    pairs = list(zip(torch.split(features.double(), size), torch.split(reference.double(), size), strict=True))
    found = torch.stack([kernel(a, a).mean() + kernel(b, b).mean() - 2 * kernel(a, b).mean() for a, b in pairs])
    return float(found.mean()), float(found.std() / len(found) ** 0.5), len(found)


def off(distance, shift: float, exact: float, size: int = 20) -> float:
    """Returns how many standard errors the mean over 40 trials lies from the exact value."""
    trials = [distance(normal(200, 2 * i, shift), normal(200, 2 * i + 1), size)[0] for i in range(40)]
    found = torch.tensor(trials)
    return float((found.mean() - exact) / (found.std() / 40**0.5))


def exact(shift: float, d: int = 3) -> float:
    """MMD² of N(s 1, I) and N(0, I) in d dimensions under (xᵀy/d + 1)³, from the moments of xᵀy.

    With m = E x, the tensors E[x^⊗k] of the two laws differ by m for k = 1; by mmᵀ for k = 2; for k = 3 by m⊗m⊗m and
    three times m⊗I, of squared norm |m|⁶ + 6|m|⁴ + (3d + 6)|m|².
    """
    m = d * shift**2
    return 3 * m / d + 3 * m**2 / d**2 + (m**3 + 6 * m**2 + (3 * d + 6) * m) / d**3


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_estimate_is_unbiased(shift):
    assert abs(off(kernel_distance, shift, exact(shift))) < 3.5


def test_an_estimate_with_the_diagonal_is_found_out():
    assert off(biased, 0.0, 0.0) > 10


def test_equal_laws_are_at_no_distance_within_the_error():
    found = [kernel_distance(normal(500, i), normal(500, i + 100), 50) for i in range(30)]
    within = [abs(value) < 3 * error for value, error, _ in found]
    assert sum(within) >= 27 and any(value < 0 for value, _, _ in found)


def test_subsets_are_disjoint_and_counted():
    assert kernel_distance(normal(105, 0), normal(300, 1), 20)[2] == 5
    assert kernel_distance(normal(400, 0), normal(300, 1), 0)[2] == 10


def test_too_few_images_are_refused_with_the_count():
    with pytest.raises(DataError, match=r"which is 200; found 150 images.*subset_size of at most 75"):
        kernel_distance(normal(150, 0), normal(300, 1), 100)


def test_the_metric_names_its_features_and_subsets():
    draw = [torch.rand(n, 1, 2, 2, generator=ebmkit.stream(i, 0, "k")) for i, n in enumerate([200, 500, 200])]
    given = Given(x=draw[0] * 0.5, train=draw[1], test=draw[2])
    found = build_kid(KidConfig(features=FLAT), BuildContext()).measure(given)
    one, floor = found.estimates["kid-Flat"], found.estimates["kid-Flat of test images"]
    assert one.value > 5 * one.error and abs(floor.value) < 4 * floor.error
    assert "10 disjoint pairs of subsets of 20 samples and 20 training images" in found.definition

"""Precision and recall of discs whose overlap is known."""

from __future__ import annotations

import pytest
import torch

import ebmkit
from ebmkit.errors import DataError
from ebmkit.metrics.declarations.features import PrecisionRecallConfig
from ebmkit.metrics.precision_recall import build_precision_recall, inside, manifold_radii, precision_recall
from ebmkit.plugins.context import BuildContext
from tests.metrics.planted_features import FLAT, Given


def disc(n: int, radius: float, seed: int, shift: float = 0.0) -> torch.Tensor:
    """Uniform draws [n, 2] of a disc."""
    u = torch.rand(n, 2, generator=ebmkit.stream(seed, 0, "disc"))
    r, angle = radius * u[:, 0].sqrt(), 2 * torch.pi * u[:, 1]
    return torch.stack([r * angle.cos() + shift, r * angle.sin()], dim=1)


def holds_nested(measure) -> bool:
    """Samples fill the inner half of the radius: all lie among the data, a quarter of the data lies among them."""
    precision, recall = measure(disc(1500, 0.5, 0), disc(1500, 1.0, 1), 3)
    return precision > 0.93 and abs(recall - 0.25) < 0.06


def test_samples_in_a_part_of_the_data_have_precision_and_no_recall():
    assert holds_nested(precision_recall)


def test_precision_and_recall_swapped_are_found_out():
    assert not holds_nested(lambda samples, data, k: precision_recall(samples, data, k)[::-1])


def test_samples_all_about_the_data_have_recall_and_no_precision():
    precision, recall = precision_recall(disc(1500, 1.0, 0), disc(1500, 0.5, 1), 3)
    assert recall > 0.93 and abs(precision - 0.25) < 0.06


def test_equal_laws_have_both_and_disjoint_ones_neither():
    same = precision_recall(disc(1000, 1.0, 0), disc(1000, 1.0, 1), 3)
    assert min(same) > 0.9 and abs(same[0] - same[1]) < 0.05
    assert precision_recall(disc(500, 1.0, 0), disc(500, 1.0, 1, shift=5.0), 3) == (0.0, 0.0)
    x = disc(200, 1.0, 0)
    assert precision_recall(x, x, 1) == (1.0, 1.0)


def test_radii_are_those_of_the_kth_neighbour_in_chunks_too():
    line = torch.arange(1203.0)[:, None] ** 1.01
    found = manifold_radii(line, 2)
    distance = (line - line.T).abs().sort(dim=1).values[:, 2]
    assert torch.allclose(found, distance)


def test_a_ball_holds_its_boundary():
    assert inside(torch.tensor([[1.0], [1.1]]), torch.tensor([[0.0]]), torch.tensor([1.0])).tolist() == [True, False]


def test_wrong_counts_are_refused():
    with pytest.raises(DataError, match="found 5 and 6"):
        precision_recall(torch.rand(5, 2), torch.rand(6, 2), 3)
    with pytest.raises(DataError, match="at least 4 images a set, found 3"):
        precision_recall(torch.rand(3, 2), torch.rand(3, 2), 3)


def test_the_metric_shows_real_images_beside_samples():
    draw = [torch.rand(n, 1, 1, 2, generator=ebmkit.stream(i, 0, "p")) for i, n in enumerate([300, 600, 200])]
    given = Given(x=draw[0] * 0.5, train=draw[1], test=draw[2])
    found = build_precision_recall(PrecisionRecallConfig(features=FLAT), BuildContext()).measure(given)
    assert set(found.estimates) == {
        f"{row}: {column}-Flat" for row in ("samples", "test images") for column in ("precision", "recall")
    }
    assert found.estimates["samples: recall-Flat"].value < 0.4 < 0.8 < found.estimates["test images: recall-Flat"].value
    assert found.estimates["test images: recall-Flat"].n == 200
    assert "3-th nearest" not in found.definition and "its 3rd nearest" in found.definition

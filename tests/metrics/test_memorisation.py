"""A model that copies is found, one that does not is let go."""

from __future__ import annotations

import pytest
import torch

import ebmkit
from ebmkit.errors import DataError
from ebmkit.metrics.declarations.features import MemorisationConfig
from ebmkit.metrics.memorisation import build_memorisation, nearest, pairs, share_nearer
from ebmkit.plugins.context import BuildContext
from tests.metrics.planted_features import FLAT, Given


def law(n: int, seed: int) -> torch.Tensor:
    return torch.rand(n, 1, 4, 4, generator=ebmkit.stream(seed, 0, "law"))


TRAIN, TEST = law(400, 0), law(300, 1)


def distances(x: torch.Tensor) -> torch.Tensor:
    return nearest(x.flatten(1), TRAIN.flatten(1))[0]


def below_the_mean(samples: torch.Tensor, test: torch.Tensor, quantile: float) -> float:
    """A wrong double: nearer than the usual test image, which half of all honest samples are."""
    return float((samples < test.mean()).double().mean())


def holds(share) -> bool:
    """Copies with a little noise are all found; fresh draws of the law are about as near as test images."""
    copies = TRAIN[:200] + 0.01 * law(200, 2)
    copied = share(distances(copies), distances(TEST), 0.01)
    fresh = share(distances(law(500, 3)), distances(TEST), 0.01)
    return copied == 1.0 and fresh < 0.04


def test_copies_are_found_and_fresh_draws_are_let_go():
    assert holds(share_nearer)
    assert not holds(below_the_mean)


def test_half_a_set_of_copies_is_half_a_share():
    x = torch.cat([TRAIN[:100], law(100, 5)])
    assert share_nearer(distances(x), distances(TEST), 0.01) == pytest.approx(0.5, abs=0.02)


def test_the_nearest_is_the_nearest_in_chunks_too():
    x, data = torch.rand(620, 5), torch.rand(90, 5)
    distance, index = nearest(x, data)
    full = torch.cdist(x, data, compute_mode="donot_use_mm_for_euclid_dist")
    assert torch.allclose(distance, full.min(dim=1).values, atol=1e-4)
    assert (index == full.argmin(dim=1)).float().mean() > 0.99


def test_a_copy_is_at_no_distance():
    distance, index = nearest(1000 + TRAIN[:5].flatten(1), 1000 + TRAIN.flatten(1))
    assert index.tolist() == [0, 1, 2, 3, 4] and not distance.any()


def test_too_few_test_images_are_refused():
    with pytest.raises(DataError, match="at least 100 test images, found 60"):
        share_nearer(torch.rand(10), torch.rand(60), 0.01)


def test_the_metric_measures_in_pixels_and_features_and_shows_pairs():
    given = Given(x=torch.cat([TRAIN[:30], law(30, 6)]), train=TRAIN, test=TEST)
    metric = build_memorisation(MemorisationConfig(features=FLAT, bootstrap=20, shown=12), BuildContext())
    found = metric.measure(given)
    share = found.estimates["nearer than test images: pixels"]
    assert share.value == pytest.approx(0.5, abs=0.05) and share.error == pytest.approx(0.065, abs=0.03)
    assert found.estimates["median distance of test images: Flat"].n == 300
    assert "400 training images" in found.definition and "300 test images" in found.definition
    assert set(found.pictures) == {"nearest-pixels", "nearest-Flat"}
    assert set(found.histograms["distance to the nearest training image, pixels"]) == {"samples", "test images"}
    fewer = build_memorisation(MemorisationConfig(features=FLAT, bootstrap=2, n_train=50), BuildContext()).measure(
        given
    )
    assert "50 training images" in fewer.definition


def test_neighbours_stand_below_their_samples():
    picture = pairs(torch.zeros(12, 1, 4, 4), torch.full((12, 1, 4, 4), 0.5), (0.0, 1.0))
    column = [picture.getpixel((6, y)) for y in (6, 6 + 12, 6 + 24, 6 + 36)]
    assert column == [0, 128, 0, 128]
    assert picture.getpixel((6 + 12 * 5, 6 + 24)) == 255

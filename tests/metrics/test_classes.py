"""Classes of a known allocation are counted as they were made."""

from __future__ import annotations

import math

import pytest
import torch

from ebmkit.errors import CapabilityError
from ebmkit.metrics.classes import build_classes, covered, entropy, shares
from ebmkit.metrics.declarations.features import ClassesConfig
from ebmkit.plugins.context import BuildContext
from tests.metrics.planted_features import ALLOCATED, FLAT, Given

NAMES = ("a", "b", "c", "d")


def images(counts: list[int], sure: float = 0.9) -> torch.Tensor:
    """Returns images whose first pixel names their class and whose second says how sure the classifier is."""
    classes = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    x = torch.zeros(len(classes), 1, 2, 2)
    x[:, 0, 0, 0] = classes / 4 + 0.1
    x[:, 0, 0, 1] = sure
    return x


def measured(x, test, y=None, names=NAMES, **settings):
    given = Given(x=x, train=test, test=test, y=y, class_names=names)
    return build_classes(ClassesConfig(features=ALLOCATED, **settings), BuildContext()).measure(given)


def holds_allocation(count) -> bool:
    """Of four classes with 50, 46, 3 and 1 of 100 images, three have at least 3 %."""
    predicted = torch.repeat_interleave(torch.arange(4), torch.tensor([50, 46, 3, 1]))
    return count(predicted, 4, 0.03) == 3


def test_classes_of_a_known_allocation_are_covered():
    assert holds_allocation(covered)


def test_a_count_of_classes_that_appear_at_all_is_found_out():
    assert not holds_allocation(lambda predicted, k, share: len(predicted.unique()))


def test_the_entropy_of_even_shares_is_the_logarithm_of_their_number():
    assert entropy(torch.arange(4).repeat(5), 4) == pytest.approx(math.log(4))
    assert entropy(torch.zeros(7, dtype=torch.long), 4) == 0.0


def test_classes_that_nobody_shows_have_a_share():
    assert shares(torch.tensor([0, 0, 2, 0]), 4).tolist() == [0.75, 0.0, 0.25, 0.0]


def test_samples_stand_beside_held_out_data():
    y = torch.repeat_interleave(torch.arange(4), 25)
    y[:10] = 3
    found = measured(images([300, 100, 0, 0], sure=0.7), images([25] * 4), y=y).estimates
    assert (found["classes covered: samples"].value, found["classes covered: held-out data"].value) == (2, 4)
    assert found["a: samples"].value == 0.75 and found["a: held-out data"].value == 0.25
    assert found["a: samples"].error == pytest.approx((0.75 * 0.25 / 400) ** 0.5, rel=0.01)
    assert found["confidence: samples"].value == pytest.approx(0.7, abs=1e-5)
    assert found["entropy: held-out data"].value == pytest.approx(math.log(4))
    assert found["entropy: samples"].error > 0 and found["classes covered: samples"].error == 0.0
    assert found["accuracy: held-out data"].value == pytest.approx(0.9)
    assert found["classes covered: samples"].n == 400 and found["classes covered: samples"].better == "higher"


def test_the_definition_tells_the_share_and_the_classifier():
    found = measured(images([10] * 4), images([10] * 4), share=0.05)
    assert "'Allocated'" in found.definition and "at least 5%" in found.definition and "1.39" in found.definition
    assert set(found.histograms["confidence of the classifier"]) == {"samples", "held-out data"}


def test_a_classifier_over_other_classes_is_refused():
    with pytest.raises(CapabilityError, match="into a, b, c, d; the data have 0, 1"):
        measured(images([10] * 4), images([10] * 4), names=("0", "1"))


def test_features_that_do_not_classify_are_refused():
    given = Given(x=images([10] * 4), train=images([10] * 4), class_names=NAMES)
    with pytest.raises(CapabilityError, match="'Flat' name no classes"):
        build_classes(ClassesConfig(features=FLAT), BuildContext()).measure(given)

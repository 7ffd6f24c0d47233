"""The sets that metrics on features compare, and which features are taken where none are named."""

from __future__ import annotations

import pytest
import torch

from ebmkit.errors import CapabilityError
from ebmkit.metrics.declarations.features import SHAPES
from ebmkit.metrics.features.networks import NETWORKS
from ebmkit.metrics.features.sets import features_of, real_sets
from ebmkit.plugins.component import Selection
from ebmkit.plugins.host import host
from tests.metrics.planted_features import FLAT, Given


def numbered(n: int, first: int = 0, shape=(1, 1, 1)) -> torch.Tensor:
    """Images [n, ...] of one value each, which says which one it is."""
    return (first + torch.arange(n)).view(-1, 1, 1, 1).expand(-1, *shape) / 1000.0


@pytest.mark.parametrize(("shape", "name"), [((1, 28, 28), "garments"), ((3, 32, 32), "resnet20")])
def test_the_shape_of_the_data_chooses_the_features_that_ship(shape, name):
    given = Given(x=numbered(2, shape=shape), train=numbered(2, shape=shape))
    features = features_of(given, "")
    assert features.name == name and features.features(given.x).shape == (2, 64)
    assert given.notes == [f"features '{name}': {features.source}"]


def test_no_features_that_ship_are_of_another_shape():
    given = Given(x=numbered(2, shape=(3, 64, 64)), train=numbered(2, shape=(3, 64, 64)))
    with pytest.raises(CapabilityError, match=r"of data \[3, 64, 64\] \(garments \[1, 28, 28\], resnet20"):
        features_of(given, "")
    assert features_of(given, FLAT).n_features == 3 * 64 * 64


def test_real_images_are_test_images_as_many_as_samples():
    given = Given(x=numbered(5), train=numbered(20), test=numbered(10, first=500), n_data=8)
    reference, real, where, notes = real_sets(given, 5)
    assert torch.equal(reference, numbered(8)) and torch.equal(real, numbered(5, first=500))
    assert where == "test" and notes == ()


def test_without_test_images_they_are_training_images_beyond_the_reference():
    given = Given(x=numbered(5), train=numbered(20), n_data=8)
    reference, real, where, _ = real_sets(given, 5)
    assert torch.equal(reference, numbered(8)) and torch.equal(real, numbered(5, first=8))
    assert where == "other training"
    reference, real, _, notes = real_sets(given, 13)
    assert len(reference) == 8 and real is None and "too few training images" in notes[0]


@pytest.mark.parametrize("name", ["fd", "kid", "precision-recall", "classes", "memorisation"])
def test_a_metric_refuses_data_before_anything_is_sampled(name):
    component = host().get("metric", name)
    small, other = Selection(event_shape=(1, 28, 28)), Selection(event_shape=(3, 64, 64))
    assert component.objection("refuse", component.config(), small) == ""
    assert "no features that ship are of data [3, 64, 64]" in component.objection("refuse", component.config(), other)
    named = component.config(features="resnet20")
    assert "'resnet20' are not of data [1, 28, 28]" in component.objection("refuse", named, small)
    assert component.objection("refuse", component.config(features="mine.pt2"), other) == ""


def test_fid_without_weights_is_refused_before_anything_is_sampled():
    component = host().get("metric", "fid")
    assert "use fd" in component.objection("refuse", component.config(), Selection(event_shape=(3, 32, 32)))
    assert component.objection("refuse", component.config(weights="a.pth"), Selection(event_shape=(3, 32, 32))) == ""


def test_the_shapes_that_are_declared_are_those_of_the_networks():
    assert {name: network.input_shape for name, network in NETWORKS.items()} == SHAPES

"""Nothing is called FID but the distance on the weights that define it."""

from __future__ import annotations

import hashlib
import sys
from types import ModuleType

import pytest
import torch
from torch import nn

import ebmkit
from ebmkit.errors import CapabilityError, DataError, RecipeError
from ebmkit.metrics import fid
from ebmkit.metrics.declarations.features import FidConfig
from ebmkit.metrics.fd import frechet_distance
from ebmkit.metrics.fid import build_fid, inception, inception_features
from ebmkit.plugins.context import BuildContext
from tests.metrics.planted_features import Given


class Stand(nn.Module):
    """Takes what torch-fidelity's network takes and gives what it gives: 8-bit RGB in, a tuple out."""

    def __init__(self, name, features_list, feature_extractor_weights_path=None):
        super().__init__()
        assert name == "inception-v3-compat" and features_list == [str(fid.N_FEATURES)]
        self.bias = torch.load(feature_extractor_weights_path, weights_only=True)["bias"]

    def forward(self, x):
        assert x.dtype == torch.uint8 and x.shape[1] == 3
        return (x.double().mean(dim=1).flatten(1) / 256 + self.bias,)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file of weights that stand for the real ones, and a network that stands for torch-fidelity's."""
    path = tmp_path / fid.WEIGHTS
    torch.save({"bias": torch.tensor(1.0)}, path)
    package, module = ModuleType("torch_fidelity"), ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = Stand
    monkeypatch.setitem(sys.modules, "torch_fidelity", package)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", module)
    return path


@pytest.fixture
def genuine(weights, monkeypatch):
    """That file, with its digest in the place of the real one's."""
    monkeypatch.setattr(fid, "SHA256", hashlib.sha256(weights.read_bytes()).hexdigest())
    return weights


def test_without_weights_fid_is_refused():
    with pytest.raises(RecipeError, match=r"set weights = FILE .*use fd"):
        build_fid(FidConfig(), BuildContext())


def test_other_weights_are_refused(weights):
    with pytest.raises(DataError, match="does not hold the weights that FID is defined on"):
        inception(weights)
    with pytest.raises(DataError, match="cannot be read"):
        inception(weights.with_name("absent.pth"))


def test_without_torch_fidelity_fid_is_refused(genuine, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.delitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3")
    with pytest.raises(CapabilityError, match="torch-fidelity, which is not installed"):
        inception(genuine)


def test_grey_images_are_given_as_8_bit_rgb(genuine):
    network = inception(genuine)
    x = torch.rand(60, 1, 4, 4)
    found = inception_features(network, 2 * x - 1, (-1.0, 1.0), "cpu")
    assert found.shape == (60, 16) and torch.allclose(found, (torch.floor(256 * x) / 256).flatten(1).double() + 1)


def test_the_metric_is_the_distance_of_those_features(genuine, monkeypatch):
    monkeypatch.setattr(fid, "N_FEATURES", 16)
    draw = [torch.rand(n, 1, 4, 4, generator=ebmkit.stream(i, 0, "f")) for i, n in enumerate([100, 500, 10])]
    given = Given(x=draw[0] * 0.5, train=draw[1], test=draw[2])
    found = build_fid(FidConfig(weights=str(genuine), bootstrap=3), BuildContext()).measure(given)
    assert set(found.estimates) == {"fid"} and any("no floor" in note for note in found.notes)
    exact = frechet_distance(draw[0].flatten(1) * 0.5, draw[1].flatten(1))
    assert found.estimates["fid"].value == pytest.approx(exact, rel=0.02)
    assert any("repeated to three channels" in note for note in given.notes)
    with pytest.raises(DataError, match="16 features needs at least 17 images a set, found 9"):
        build_fid(FidConfig(weights=str(genuine)), BuildContext()).measure(Given(x=draw[0][:9], train=draw[1]))

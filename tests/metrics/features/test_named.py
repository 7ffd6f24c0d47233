"""Named features: what they take, what they refuse, and what never happens while they are loaded."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import ebmkit
from ebmkit.errors import CapabilityError, DataError, RecipeError
from ebmkit.metrics.features.extractors import SHIPPED, find_extractor
from ebmkit.metrics.features.named import load_features
from ebmkit.metrics.features.networks import GarmentsNet, ResNet20

GREY, COLOUR, UNIT = (1, 28, 28), (3, 32, 32), (0.0, 1.0)


class Means(nn.Module):
    """Two features without weights; knows what it wants."""

    input_range = (-1.0, 1.0)

    def forward(self, x):
        return torch.stack([x.mean(dim=(1, 2, 3)), x.amax(dim=(1, 2, 3))], dim=1)


class Evil:
    """A pickle of it runs a command."""

    def __reduce__(self):
        return os.mkdir, ("it-ran",)


PROGRAMS = pytest.mark.skipif(torch.__version__ < (2, 9), reason="torch 2.8 pickles the weights of a .pt2")


def exported(path: Path, network: nn.Module, shape=GREY, **extra) -> Path:
    program = torch.export.export(
        network.eval(), (torch.zeros(2, *shape),), dynamic_shapes=({0: torch.export.Dim("n")},)
    )
    torch.export.save(program, path, extra_files={"features.json": json.dumps(extra)} if extra else None)
    return path


# --- what ships


def test_the_garments_classifier_tells_garments_apart():
    test = ebmkit.build("dataset", "fashion-mini", split="test")
    held = test.batch(torch.arange(len(test)), ebmkit.stream(0, 0, "test"))
    features = load_features("garments", test.event_shape, test.value_range)
    assert features.classes == test.class_names and features.n_features == 64
    found, logits = features.both(held.x)
    assert found.shape == (1000, 64) and logits.shape == (1000, 10)
    assert float((logits.argmax(dim=1) == held.y).float().mean()) > 0.92
    assert "test accuracy" in features.source and "MIT" in features.source


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_small_and_says_where_it_comes_from(name):
    path = files("ebmkit.metrics.features") / "weights" / SHIPPED[name]
    assert path.stat().st_size < 1.2e6 and (name != "garments" or path.stat().st_size < 1e6)
    extractor = find_extractor(name)
    assert extractor.name == name and len(extractor.classes) == 10
    assert "accuracy" in extractor.source and ("BSD" in extractor.source or "Apache" in extractor.source)


def test_the_notice_of_the_colour_network_ships_beside_it():
    notice = (files("ebmkit.metrics.features") / "weights" / "RESNET20_LICENSE").read_text()
    assert "Yerlan Idelbayev" in notice and "Redistributions in binary form" in notice


def test_shortcuts_of_the_colour_network_pad_channels_with_zeros():
    block = ResNet20().layer2[0].eval()
    with torch.no_grad():
        block.bn2.weight.zero_()
        x = torch.rand(2, 16, 8, 8)
        found = block(x)
    assert torch.equal(found[:, 8:24], x[:, :, ::2, ::2])
    assert not found[:, :8].any() and not found[:, 24:].any()


# --- what they take and give


def test_features_follow_the_value_range():
    x = torch.rand(5, *GREY)
    one = load_features("garments", GREY, UNIT)
    other = load_features("garments", GREY, (-1.0, 1.0))
    assert torch.allclose(one.features(x), other.features(2 * x - 1), atol=1e-4)
    assert not torch.allclose(one.features(x), other.features(x), atol=1e-2)


def test_features_do_not_depend_on_the_other_images():
    features = load_features("garments", GREY, UNIT)
    x = torch.rand(501, *GREY)
    assert torch.allclose(features.features(x)[-1:], features.features(x[-1:]), atol=1e-4)
    assert torch.allclose(features.features(x + 0.0).mean(), features.features(x).mean())


def test_images_beyond_their_range_are_clamped():
    features = load_features("garments", GREY, UNIT)
    x = torch.rand(3, *GREY) * 3 - 1
    assert torch.equal(features.features(x), features.features(x.clamp(0, 1)))


def test_images_of_another_size_are_refused_with_both_sizes():
    with pytest.raises(DataError, match=r"of images \[1, 28, 28\], but the data have \[3, 32, 32\]"):
        load_features("garments", COLOUR, UNIT)
    with pytest.raises(DataError, match=r"\[3, 32, 32\], but the data have \[1, 28, 28\]"):
        load_features("resnet20", GREY, UNIT)
    with pytest.raises(DataError, match=r"\[1, 28, 28\]; these have \[1, 32, 32\]"):
        load_features("garments", GREY, UNIT).features(torch.zeros(2, 1, 32, 32))


def test_points_and_pixels_without_a_range_are_refused():
    with pytest.raises(DataError, match=r"a datum has shape \[2\]"):
        load_features("garments", (2,), None)
    with pytest.raises(DataError, match="pixels of a known range"):
        load_features("garments", GREY, None)


def test_images_that_are_not_finite_are_refused():
    x = torch.rand(4, *GREY)
    x[1, 0, 3, 3] = torch.nan
    with pytest.raises(DataError, match="1 of 4 images are not finite"):
        load_features("garments", GREY, UNIT).features(x)


def test_unknown_features_are_refused():
    with pytest.raises(RecipeError, match="Did you mean 'garments'"):
        load_features("garment", GREY, UNIT)


# --- files and modules of the user's


def test_weights_of_a_known_architecture_are_read_from_a_file(tmp_path):
    network = GarmentsNet(n_classes=4).eval()
    about = {"architecture": "garments", "classes": json.dumps(["a", "b", "c", "d"])}
    save_file(network.state_dict(), tmp_path / "mine.safetensors", metadata=about)
    torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "mine.pt")
    x = torch.rand(3, *GREY)
    one = load_features(str(tmp_path / "mine.safetensors"), GREY, UNIT)
    other = load_features(str(tmp_path / "mine.pt"), GREY, UNIT)
    assert one.name == other.name == "mine" and one.classes == ("a", "b", "c", "d")
    assert torch.equal(one.logits(x), network(x)[1]) and torch.equal(other.logits(x), one.logits(x))


def test_weights_of_something_else_are_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(DataError, match="or of no classifier"):
        load_features(str(tmp_path / "other.safetensors"), GREY, UNIT)
    (tmp_path / "damaged.safetensors").write_bytes(b"not weights")
    with pytest.raises(DataError, match="cannot be read as safetensors"):
        load_features(str(tmp_path / "damaged.safetensors"), GREY, UNIT)
    with pytest.raises(DataError, match="cannot be read"):
        load_features(str(tmp_path / "absent.pt"), GREY, UNIT)


@PROGRAMS
def test_a_program_is_taken_with_what_it_says_of_itself(tmp_path):
    path = exported(tmp_path / "means.pt2", Means(), input_range=[-1, 1], classes=[])
    features = load_features(str(path), GREY, UNIT)
    assert features.name == "means" and features.n_features == 2 and features.extractor.input_shape == GREY
    x = torch.rand(7, *GREY)
    assert torch.allclose(features.features(x), Means()(2 * x - 1), atol=1e-6)
    with pytest.raises(CapabilityError, match="do not classify"):
        features.logits(x)
    with pytest.raises(DataError, match=r"\[1, 28, 28\], but the data have \[3, 32, 32\]"):
        load_features(str(path), COLOUR, UNIT)


@PROGRAMS
def test_a_program_of_a_fixed_batch_is_refused(tmp_path):
    torch.export.save(torch.export.export(Means(), (torch.zeros(2, *GREY),)), tmp_path / "fixed.pt2")
    with pytest.raises(CapabilityError, match="dynamic batch"):
        load_features(str(tmp_path / "fixed.pt2"), GREY, UNIT)


def test_a_module_of_the_users_is_imported_by_its_place(tmp_path, monkeypatch):
    (tmp_path / "own_features.py").write_text(
        "import torch\n"
        "class Flat(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x.flatten(1)\n"
        "class Maps(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x\n"
        "number = lambda: 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    features = load_features("own_features:Flat", (1, 4, 4), UNIT)
    assert features.name == "Flat" and features.n_features == 16
    with pytest.raises(CapabilityError, match=r"should be \[3, D\]"):
        load_features("own_features:Maps", (1, 4, 4), UNIT)
    with pytest.raises(RecipeError, match="should return a torch module, found int"):
        load_features("own_features:number", (1, 4, 4), UNIT)
    with pytest.raises(RecipeError, match="cannot be imported"):
        load_features("own_features:absent", (1, 4, 4), UNIT)


# --- nothing is unpickled


def test_a_checkpoint_with_code_in_it_does_not_run_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(DataError, match="weights alone"):
        load_features("evil.pt", GREY, UNIT)
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize(
    "record", ["data/sample_inputs/model.pt", "data/weights/model.pt", "data/constants/opaque_obj_0"]
)
def test_a_program_with_code_in_it_does_not_run_it(tmp_path, monkeypatch, record):
    """torch.export.load alone would run it: that is shown for the sample inputs."""
    monkeypatch.chdir(tmp_path)
    exported(tmp_path / "good.pt2", Means())
    with zipfile.ZipFile("good.pt2") as good, zipfile.ZipFile("evil.pt2", "w") as evil:
        for name in good.namelist():
            if not name.endswith(record):
                evil.writestr(name, good.read(name))
        torch.save(Evil(), "evil-record")
        content = Path("evil-record").read_bytes() if record.endswith(".pt") else pickle.dumps(Evil())
        evil.writestr(f"good/{record}", content)
    with pytest.raises(DataError, match="Such a file is not loaded"):
        load_features("evil.pt2", GREY, UNIT)
    assert not (tmp_path / "it-ran").exists()
    if "sample_inputs" in record:
        with pytest.raises((AssertionError, TypeError)):
            torch.export.load("evil.pt2")
        assert (tmp_path / "it-ran").exists()

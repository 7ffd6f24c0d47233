"""The embedded set is what its docstring says."""

import hashlib
from importlib.resources import files

import pytest
import torch

from ebmkit.data.declarations import FashionMiniConfig
from ebmkit.data.fashion_mini import FILE, build_fashion_mini
from ebmkit.plugins.context import BuildContext

SHA256 = "91e52baef9f4c4d27826f9f6ddfa33a1e517142b87cf862ba569231ad0cde1de"


@pytest.fixture(scope="module")
def train():
    return build_fashion_mini(FashionMiniConfig(), BuildContext())


def test_the_file_is_the_published_one_and_small():
    content = (files("ebmkit.data") / FILE).read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256
    assert len(content) < 4_000_000


def test_its_licence_comes_with_it():
    notice = (files("ebmkit.data") / "FASHION_MNIST_LICENSE").read_text(encoding="utf-8")
    assert "MIT" in notice and "Zalando" in notice


@pytest.mark.parametrize(("split", "n"), [("train", 6000), ("test", 1000)])
def test_every_ten_rows_hold_every_class_once(train, split, n):
    part = train.split(split)
    assert len(part) == n and part.event_shape == (1, 28, 28)
    assert torch.equal(part.y, torch.arange(n) % 10)


def test_it_names_ten_garments(train):
    assert train.n_classes == len(train.class_names) == 10
    assert train.class_names[1] == "Trouser" and train.class_names[9] == "Ankle boot"
    assert train.value_range == (0.0, 1.0)


def test_images_are_those_of_fashion_mnist(train):
    mean = train.batch(torch.arange(6000), torch.Generator().manual_seed(0)).x.mean()
    assert abs(mean - 0.2860) < 0.01, "the mean of Fashion-MNIST is 0.2860"


def test_no_image_is_in_both_parts(train):
    seen = {image.numpy().tobytes() for image in train.x}
    assert not any(image.numpy().tobytes() in seen for image in train.split("test").x)

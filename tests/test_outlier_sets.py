"""Sets of other data are read from their original files."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))

import outlier_sets
from outlier_sets import drawings


def write(file: Path, images: dict[str, int]) -> Path:
    with ZipFile(file, "w") as archive:
        for name, grey in images.items():
            made = io.BytesIO()
            Image.new("1", (105, 105), grey).save(made, format="png")
            archive.writestr(f"{file.stem}/{name}", made.getvalue())
    return file


def test_characters_of_both_files_are_taken_once_and_drawings_are_white_on_black(tmp_path: Path) -> None:
    one = write(tmp_path / "one.zip", {"Greek/a/1.png": 0, "Latin/a/1.png": 1})
    two = write(tmp_path / "two.zip", {"Greek/a/1.png": 1, "Balinese/a/1.png": 0})
    found = drawings(one, two)
    assert (found.shape, found.dtype) == ((3, 28, 28), np.uint8)
    assert [image.mean() for image in found] == [255.0, 255.0, 0.0], "by name: Balinese, Greek of the first, Latin"


def test_sets_are_made_of_the_files_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    letter = np.zeros((28, 28), np.uint8)
    letter[3, 20] = 200
    head = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28])
    (tmp_path / "emnist-letters-test-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + letter.T.tobytes()))
    thing = np.arange(3 * 32 * 32, dtype=np.uint8)
    with tarfile.open(tmp_path / "cifar-100-binary.tar.gz", "w:gz") as archive:
        told = tarfile.TarInfo("cifar-100-binary/test.bin")
        content = bytes([1, 2]) + thing.tobytes()
        told.size = len(content)
        archive.addfile(told, io.BytesIO(content))
    assert outlier_sets.main(tmp_path) == 2
    assert (np.load(tmp_path / "emnist-letters.npz")["x"] == letter).all()
    assert (np.load(tmp_path / "cifar100-test.npz")["x"] == thing.reshape(1, 3, 32, 32)).all()
    assert "omniglot: left out" in capsys.readouterr().out


def test_digits_of_svhn_are_its_first(tmp_path: Path) -> None:
    io_of = pytest.importorskip("scipy.io")
    x = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 330), dtype=np.uint8)
    io_of.savemat(tmp_path / "train_32x32.mat", {"X": x})
    found = outlier_sets.digits(tmp_path / "train_32x32.mat")
    assert found.shape == (320, 3, 32, 32)
    assert (found[7, 2] == x[:, :, 2, 7]).all()

"""Omniglot is read from its original files: each character once, reduced, white on black."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))

from omniglot_npz import drawings


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
    found = drawings([one, two])
    assert (found.shape, found.dtype) == ((3, 28, 28), np.uint8)
    assert [image.mean() for image in found] == [255.0, 255.0, 0.0], "by name: Balinese, Greek of the first, Latin"

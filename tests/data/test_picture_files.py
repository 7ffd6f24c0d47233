"""Pictures are of known formats and measured before they are decoded, at every place that opens one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from ebmkit.data.declarations import FolderConfig
from ebmkit.data.folder import build_folder
from ebmkit.data.picture_files import UNREADABLE, opened_picture
from ebmkit.errors import DataError
from ebmkit.evaluation.report.images import from_file
from ebmkit.plugins.context import BuildContext
from ebmkit.sampling.pixels import read_mask

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(ran) print\n%%EOF\n"


@pytest.fixture
def eps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def interpreted(*_: object, **__: object) -> None:
        raise AssertionError("an interpreter was started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", interpreted)
    (tmp_path / "0.png").write_bytes(EPS)
    return tmp_path / "0.png"


def test_a_data_folder_starts_no_interpreter(eps: Path) -> None:
    with pytest.raises(DataError, match=r"0\.png is not a readable image"):
        build_folder(FolderConfig(path=str(eps.parent)), BuildContext())


def test_a_mask_starts_no_interpreter(eps: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_mask(eps)


def test_a_report_starts_no_interpreter(eps: Path) -> None:
    assert from_file(eps, 100) is None


def test_a_report_follows_no_link_to_a_picture(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "mine.png")
    (tmp_path / "0.png").symlink_to("mine.png")
    assert from_file(tmp_path / "0.png", 100) is None
    assert from_file(tmp_path / "mine.png", 100) is not None


def test_a_picture_is_measured_before_it_is_decoded(tmp_path: Path) -> None:
    Image.new("L", (20, 30)).save(tmp_path / "0.png")
    with pytest.raises(OSError, match="20 × 30 pixels"), opened_picture(tmp_path / "0.png", most_pixels=599):
        pass


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif", ".ppm"])
def test_damaged_pictures_raise_what_is_known(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / f"0{suffix}"
    Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(path)
    whole = path.read_bytes()
    for _ in range(60):
        spoilt = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            spoilt[place] = rng.integers(256)
        path.write_bytes(bytes(spoilt[: rng.integers(1, len(whole) + 1)]))
        try:
            with opened_picture(path) as picture:
                picture.load()
        except UNREADABLE:
            pass

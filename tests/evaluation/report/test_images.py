"""Laws of pictures: small, nothing lost where pixels were doubled, nothing broken by what is no picture."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ebmkit.evaluation.report.images import embedded, from_file, image_grid, is_doubled, shrunk


def noise(width: int, height: int, mode: str = "L") -> Image.Image:
    channels = () if mode == "L" else (3,)
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, *channels), dtype=np.uint8))


def test_doubled_pixels_are_halved_without_loss() -> None:
    small = noise(30, 20)
    doubled = small.resize((60, 40), Image.Resampling.NEAREST)
    assert is_doubled(doubled) and not is_doubled(small)
    assert np.array_equal(np.asarray(shrunk(doubled, 100)), np.asarray(small))


def test_no_picture_is_wider_than_asked() -> None:
    assert shrunk(noise(301, 100), 100).size == (100, 33)
    grid = image_grid(torch.rand(36, 3, 128, 128), (0.0, 1.0))
    assert grid is not None and grid.width == 640


def test_a_large_picture_in_colour_stays_small() -> None:
    assert len(embedded(noise(600, 600, "RGB"), "noise")) < 600_000


def test_what_is_embedded_is_a_picture() -> None:
    html = embedded(noise(8, 4), 'a "b" <c>')
    assert 'alt="a &quot;b&quot; &lt;c&gt;"' in html and 'width="8" height="4"' in html
    data = html.split("base64,")[1].split('"')[0]
    assert Image.open(BytesIO(base64.b64decode(data))).size == (8, 4)


def test_what_is_no_picture_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no")
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    assert from_file(tmp_path / "a.png", 100) is None and from_file(tmp_path / "b.png", 100) is None
    assert from_file(tmp_path / "none.png", 100) is None
    assert image_grid(torch.zeros(4, 2), None) is None


def test_values_that_are_not_finite_spoil_no_picture() -> None:
    x = torch.zeros(2, 1, 4, 4)
    x[0, 0, 0, 0] = torch.nan
    assert image_grid(x, None) is not None

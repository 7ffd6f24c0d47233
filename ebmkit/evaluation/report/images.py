"""Pictures inside the page: PNG as text, made small without losing what there is to see."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ebmkit.data.picture_files import UNREADABLE, opened_picture
from ebmkit.evaluation.pictures import grid, to_uint8
from ebmkit.evaluation.report.markup import Markup, tag
from ebmkit.plain_files import opened

FEW_COLOURS = 192
"""Colours that a large picture in colour keeps."""
LARGE = 120_000
"""Bytes above which a picture in colour is given fewer colours."""


def embedded(picture: Image.Image, alt: str, *, pixelated: bool = False) -> Markup:
    """Returns a picture as an <img> that holds its own data."""
    data = base64.b64encode(_as_png(picture)).decode("ascii")
    style = "pixels" if pixelated else None
    size = {"width": picture.width, "height": picture.height}
    return tag("img", src=f"data:image/png;base64,{data}", alt=alt, class_=style, **size)


def from_file(path: Path, widest: int) -> Image.Image | None:
    """Returns the picture of a file, no wider than so many pixels; None where it is none."""
    try:
        with opened(path) as file, opened_picture(file) as found:
            picture = found.convert("L" if found.mode in ("1", "L") else "RGB")
    except UNREADABLE:
        return None
    return shrunk(picture, widest)


def shrunk(picture: Image.Image, widest: int) -> Image.Image:
    """Returns a picture halved where each of its pixels is doubled, as grids are, and then no wider than asked."""
    if is_doubled(picture):
        picture = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.NEAREST)
    return no_wider(picture, widest)


def no_wider(picture: Image.Image, widest: int) -> Image.Image:
    """Returns a picture with its width at most so many pixels."""
    if picture.width <= widest:
        return picture
    height = max(1, round(picture.height * widest / picture.width))
    return picture.resize((widest, height), Image.Resampling.LANCZOS)


def is_doubled(picture: Image.Image) -> bool:
    """Returns whether each 2 × 2 block of pixels is of one colour."""
    values = np.asarray(picture)
    if values.shape[0] % 2 or values.shape[1] % 2:
        return False
    first = values[::2, ::2]
    return all(np.array_equal(first, values[i::2, j::2]) for i, j in ((0, 1), (1, 0), (1, 1)))


def image_grid(
    x: Tensor, value_range: tuple[float, float] | None, columns: int | None = None, widest: int = 640
) -> Image.Image | None:
    """Returns images x [B, C, H, W] as one picture, no wider than so many pixels; None where x are no images."""
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        return None
    finite = torch.nan_to_num(x.float(), nan=0.0, posinf=0.0, neginf=0.0)
    return no_wider(grid(to_uint8(finite, value_range), columns, gap=1), widest)


def chosen(n: int, most: int) -> list[int]:
    """Returns up to `most` of n indices, the first and the last among them, closer together at the start.

    >>> chosen(16, 6), chosen(3, 6)
    ([0, 2, 4, 7, 11, 15], [0, 1, 2])
    """
    if n <= most:
        return list(range(n))
    return sorted({round((k / (most - 1)) ** 1.4 * (n - 1)) for k in range(most)})


def _as_png(picture: Image.Image) -> bytes:
    png = _encoded(picture)
    if len(png) > LARGE and picture.mode == "RGB":
        few = _encoded(picture.quantize(FEW_COLOURS, dither=Image.Dither.NONE))
        return min(png, few, key=len)
    return png


def _encoded(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()

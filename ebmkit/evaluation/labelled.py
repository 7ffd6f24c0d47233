"""Grids of images whose rows say what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ebmkit.evaluation.pictures import GAP, grid, scale_of, to_uint8

MOST_COLUMNS = 16
LETTERS, MARGIN = 13, 8
"""Height of the letters, and the space about them, pixels."""


def labelled_grid(groups: Sequence[tuple[str, Tensor]], columns: int, scale: int = 1) -> Image.Image:
    """Returns one picture of groups of images, each from a new row on, with its name on the left.

    Args:
        groups: name, uint8 images [B, 1 or 3, H, W].
        columns: images in a row.
        scale: pixels a pixel.
    """
    font = ImageFont.load_default(LETTERS)
    left = 2 * MARGIN + ceil(max(font.getlength(name) for name, _ in groups))
    blocks = [(name, grid(images, columns, scale)) for name, images in groups]
    overlap = GAP * scale  # each block ends with the gap that the next one begins with
    height = sum(block.height - overlap for _, block in blocks) + overlap
    height_of_first = (groups[0][1].shape[2] + GAP) * scale
    sheet = Image.new(blocks[0][1].mode, (left + blocks[0][1].width, max(height, LETTERS)), "white")
    pen, top = ImageDraw.Draw(sheet), 0
    for name, block in blocks:
        sheet.paste(block, (left, top))
        pen.text((MARGIN, top + height_of_first // 2), name, fill="black", font=font, anchor="lm")
        top += block.height - overlap
    return sheet


def by_name(x: Tensor, names: Sequence[str], order: Sequence[str] = ()) -> list[tuple[str, Tensor]]:
    """Returns (name, its rows of x [B, ...]) for each name that is there: as ordered, others as they come up."""
    known = {name: i for i, name in enumerate(order)}
    found = sorted(dict.fromkeys(names), key=lambda name: known.get(name, len(known)))
    return [(name, x[torch.tensor([one == name for one in names])]) for name in found]


def classes_grid(
    x: Tensor, names: Sequence[str], value_range: tuple[float, float] | None, order: Sequence[str] = ()
) -> Image.Image:
    """Returns a grid of images [B, C, H, W], a row or more for each class, named."""
    groups = by_name(to_uint8(x, value_range), names, order)
    longest = max(len(images) for _, images in groups)
    columns = min(longest, MOST_COLUMNS) if len(groups) > 1 else ceil(sqrt(longest))
    return labelled_grid(groups, columns, scale_of(x))


def inpainted_grid(
    x: Tensor, images: Tensor, mask: Tensor, value_range: tuple[float, float] | None, columns: int = 10
) -> Image.Image:
    """Returns bands of three rows: what was given of each image, free pixels grey; the sample; the whole image.

    Args:
        x: samples [B, C, H, W].
        images: whose pixels were given, likewise.
        mask: bool [C, H, W], True where they were.
        value_range: of x.
        columns: samples in a band.
    """
    whole, samples = to_uint8(images, value_range), to_uint8(x, value_range)
    known = torch.where(mask.cpu(), whole, torch.full_like(whole, 128))
    rows = (("given", known), ("sample", samples), ("image", whole))
    parts = zip(*(torch.split(images, columns) for _, images in rows), strict=True)
    groups = [(name, part) for band in parts for (name, _), part in zip(rows, band, strict=True)]
    return labelled_grid(groups, min(columns, len(x)), scale_of(x))

"""Pictures of points: grids of images, and of the plane where nothing is known of a density."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

import torch
from einops import rearrange
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from ebmkit.evaluation.plane_pictures import save_plane

GAP = 2
"""White pixels between the images of a grid."""


def scale_of(x: Tensor) -> int:
    """Returns pixels a pixel with which images [B, C, H, W] are drawn."""
    return 2 if x.shape[-1] <= 64 else 1


def to_uint8(x: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    """Returns images as uint8 [B, C, H, W]; without a value range, their own extremes are black and white."""
    x = x.detach().float().cpu()
    low, high = value_range or (float(x.min()), float(x.max()))
    return ((x - low) / max(high - low, 1e-12) * 255).round().clamp(0, 255).to(torch.uint8)


def grid(images: Tensor, columns: int | None = None, scale: int = 1, gap: int = GAP) -> Image.Image:
    """Returns one picture of uint8 images [B, 1 or 3, H, W], row by row.

    Args:
        images: what to show.
        columns: images in a row; unset, about square.
        scale: pixels a pixel.
        gap: white pixels between images.
    """
    n, channels, height, width = images.shape
    columns = columns or ceil(sqrt(n))
    rows = ceil(n / columns)
    tiles = torch.full((rows * columns, channels, height + gap, width + gap), 255, dtype=torch.uint8)
    tiles[:n, :, gap:, gap:] = images
    sheet = rearrange(tiles, "(rows columns) c h w -> (rows h) (columns w) c", rows=rows)
    sheet = pad(sheet, (0, 0, 0, gap, 0, gap), value=255)
    array = sheet.squeeze(2).numpy()
    picture = Image.fromarray(array)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def save_picture(x: Tensor, value_range: tuple[float, float] | None, path: Path, columns: int | None = None) -> bool:
    """Draws points to a PNG, images as a grid and 2-D points as a scatter plot; returns False where neither fits."""
    if x.ndim == 4 and x.shape[1] in (1, 3):
        grid(to_uint8(x, value_range), columns, scale=scale_of(x)).save(path)
    elif x.ndim == 2 and x.shape[1] == 2:
        save_plane(path, [("", x)])
    else:
        return False
    return True


def save_gif(pictures: Sequence[Image.Image], path: Path) -> None:
    """Writes pictures of moving chains to a GIF, the last of them for longer."""
    times = [120] * (len(pictures) - 1) + [1200]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=times, loop=0)

"""Pictures of one size and number of channels as one array."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from einops import rearrange
from PIL import Image

from ebmkit.data.budget import check_shape
from ebmkit.data.files_config import MOST_BYTES
from ebmkit.data.raw import Array
from ebmkit.errors import DataError

MODES = {"1": "L", "L": "L", "RGB": "RGB", "P": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}
"""The mode in which a picture of each mode is read; others (alpha, 16 bits) would lose something and are refused."""


def stack_images(
    images: Iterable[tuple[str, Image.Image]],
    n: int,
    max_bytes: int = MOST_BYTES,
    *,
    size: int = 0,
    channels: int = 0,
    resize: bool = False,
) -> Array:
    """Returns pictures as uint8 [N, C, H, W].

    Args:
        images: (origin for messages, picture).
        n: how many there are.
        max_bytes: that they may take together.
        size: height and width, pixels; 0 for those of the first picture.
        channels: 1 or 3; 0 for those of the first picture.
        resize: stretch pictures of another size (bicubic).

    Raises:
        DataError: one of another size, of other channels, or of a mode that is not in `MODES`; or too many bytes.
    """
    height, width = size, size
    check_shape((n, channels or 1, height, width), 1, max_bytes, "The images")
    stacked = np.zeros((0, channels, height, width), dtype=np.uint8)
    for index, (origin, image) in enumerate(images):
        image = _in_known_mode(origin, image)
        height, width = (height, width) if height else (image.height, image.width)
        if not index:
            shape = n, channels or len(image.getbands()), height, width
            check_shape(shape, 1, max_bytes, f"{n:,} images as {origin}")
        array = channels_of(_fitted(origin, image, height, width, resize))
        channels = channels or array.shape[0]
        if array.shape[0] != channels:
            raise DataError(
                f"{origin} has {array.shape[0]} channels, {channels} were asked for (0: as the first image). "
                f"Convert the images, or set data.channels={array.shape[0]} where all of them are so."
            )
        if not index:
            stacked = np.empty((n, *array.shape), dtype=np.uint8)
        stacked[index] = array
    return stacked


def channels_of(image: Image.Image) -> Array:
    """Returns a picture of mode L or RGB as uint8 [C, H, W]."""
    values = np.asarray(image, dtype=np.uint8)
    return rearrange(values, "h w -> 1 h w" if values.ndim == 2 else "h w c -> c h w")


def _in_known_mode(origin: str, image: Image.Image) -> Image.Image:
    if image.mode not in MODES:
        raise DataError(
            f"{origin} has mode {image.mode}; known: {', '.join(MODES)}. Save it as 8-bit grey or RGB without alpha."
        )
    return image if image.mode == MODES[image.mode] else image.convert(MODES[image.mode])


def _fitted(origin: str, image: Image.Image, height: int, width: int, resize: bool) -> Image.Image:
    if (image.height, image.width) == (height, width):
        return image
    if not resize:
        raise DataError(
            f"{origin} is {image.height}x{image.width} pixels, {height}x{width} were asked for (size 0: as the first "
            "image). Set data.resize=true to stretch images to one size, or data.size to another one."
        )
    return image.resize((width, height), Image.Resampling.BICUBIC)

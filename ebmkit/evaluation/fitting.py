"""Images of one size, number of channels and value range as images of another."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional

from ebmkit.data.arrays import dequantise
from ebmkit.errors import DataError

Range = tuple[float, float] | None
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey value (ITU-R BT.601), those of Pillow."""
USUAL_RANGES = ((-1.0, 1.0), (0.0, 255.0))
"""What floats without a range are taken for where they fit into it, in this order."""
IMAGES_AT_ONCE = 1_000


def is_image_shape(shape: tuple[int, ...]) -> bool:
    """Whether events of a shape are grey or RGB images."""
    return len(shape) == 3 and shape[0] in (1, 3)


def range_found(text: str, x: Tensor, found: Range, wanted: Range) -> Range:
    """Returns the value range of all data of a set: the one that it has, or else a usual one into which they fit.

    Raises:
        DataError: a range is wanted, and the data have none that could be mapped to it.
    """
    if wanted is None or found is not None:
        return found
    low, high = float(x.min()), float(x.max())
    for usual in (wanted, *USUAL_RANGES):
        if usual[0] <= low and high <= usual[1]:
            return usual
    raise DataError(
        f"{text} holds values in [{low:g}, {high:g}], and the run knows values in [{wanted[0]:g}, {wanted[1]:g}]: "
        "which is black and which is white? Rescale it first."
    )


def fit_range(x: Tensor, found: Range, wanted: Range) -> tuple[Tensor, tuple[str, ...]]:
    """Returns x [N, *event] of one value range in another, and what was done; x is kept where either has none."""
    if wanted is None or found is None or found == wanted:
        return x, ()
    scaled = wanted[0] + (x - found[0]) * ((wanted[1] - wanted[0]) / (found[1] - found[0]))
    return scaled, (f"its values were mapped from [{found[0]:g}, {found[1]:g}] to [{wanted[0]:g}, {wanted[1]:g}]",)


def fit_images(x: Tensor, shape: tuple[int, ...], value_range: Range, rng: Generator) -> tuple[Tensor, tuple[str, ...]]:
    """Returns images x [N, C, H, W] as [N, *shape], and what was done to them.

    Args:
        x: in the value range.
        shape: [1 or 3, H, W] of the result.
        value_range: of x, to which interpolated values are clamped; those in [0, 1] are rounded to 8 bits and
            dequantised anew.
        rng: of the dequantisation, on the CPU.
    """
    was = tuple(x.shape[1:])
    how = [_colour_words(was[0], shape[0])] if was[0] != shape[0] else []
    if was[1:] != shape[1:]:
        how.append("antialiased bicubic" + ("" if was[1] * shape[2] == was[2] * shape[1] else ", its sides stretched"))
    is_8_bit = value_range == (0.0, 1.0)
    x = torch.cat([_converted(chunk, shape, value_range, is_8_bit, rng) for chunk in torch.split(x, IMAGES_AT_ONCE)])
    ending = "; rounded to 8 bits and dequantised as images are when they are read" if is_8_bit else ""
    note = f"its images were taken from {_size(was)} to {_size(shape)} ({', '.join(how)}){ending}"
    return x, (note,)


def _converted(x: Tensor, shape: tuple[int, ...], value_range: Range, is_8_bit: bool, rng: Generator) -> Tensor:
    if is_8_bit:
        x = torch.floor(256 * x).clamp(0, 255)  # without the noise of their dequantisation
        value_range = (0.0, 255.0)
    x = _recoloured(x, shape[0])
    if x.shape[2:] != shape[1:]:
        x = functional.interpolate(x, size=shape[1:], mode="bicubic", antialias=True, align_corners=False)
    if value_range is not None:
        x = x.clamp(*value_range)  # bicubic interpolation overshoots at edges
    if is_8_bit:
        return dequantise(x.round().to(torch.uint8), torch.rand(x.shape, generator=rng))
    return x


def _recoloured(x: Tensor, channels: int) -> Tensor:
    if x.shape[1] == channels:
        return x
    if channels == 3:
        return x.expand(-1, 3, -1, -1)
    return (x * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def _colour_words(found: int, wanted: int) -> str:
    return "grey repeated as RGB" if found < wanted else "RGB to grey by .299 R + .587 G + .114 B"


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))

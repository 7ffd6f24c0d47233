"""Random image augmentation, batched on the device, every draw from the generator that is passed in.

One change for chains before Langevin moves and for contrastive views: random resized crop, mirror, colour jitter, grey
(Chen, Kornblith, Norouzi, Hinton, A simple framework for contrastive learning, ICML 2020, appendix A). The jitters run
in a fixed order, brightness, contrast, saturation, hue; there it is shuffled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log, pi

import kornia
import torch
from einops import rearrange
from torch import Generator, Tensor
from torch.nn import functional

from ebmkit.ops.rows import rows_as


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """How strongly images are changed.

    Attributes:
        crop: least area of the random crop, as a fraction; 1 for none. Its aspect is between ¾ and 4/3.
        zoom: half-width of the factor on each side of the window, after the crop.
        shift: largest move of the window, as a fraction of the image; what comes in from outside is the lowest value.
        flip: mirror half of the images.
        jitter: half-widths of the brightness, contrast, saturation and hue factors.
        p_jitter: probability of the jitter.
        p_grey: probability that colour is dropped.
    """

    crop: float = 0.08
    zoom: float = 0.0
    shift: float = 0.0
    flip: bool = True
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1)
    p_jitter: float = 0.8
    p_grey: float = 0.2

    def jittered(self, strength: float) -> Augmentation:
        """Returns it with its colour jitter multiplied."""
        brightness, contrast, saturation, hue = (strength * width for width in self.jitter)
        return replace(self, jitter=(brightness, contrast, saturation, hue))


PRESETS = {
    "strong": Augmentation(),
    "weak": Augmentation(crop=0.7, jitter=(0.1, 0.1, 0.1, 0.02), p_grey=0.0),
    "gentle": Augmentation(crop=1.0, zoom=0.05, shift=0.035, jitter=(0.0, 0.0, 0.0, 0.0), p_jitter=0.0, p_grey=0.0),
}


def augment(
    images: Tensor, rng: Generator, change: Augmentation, value_range: tuple[float, float] | None = None
) -> Tensor:
    """Returns every image changed by its own draw.

    Args:
        images: [B, 1 or 3, height, width] in `value_range`.
        rng: on the device of the images; the same number of draws however strongly.
        change: how strongly.
        value_range: of the images; None for [0, 1].

    Returns:
        [B, 1 or 3, height, width] in `value_range`.
    """
    low, high = value_range or (0.0, 1.0)
    x = (images - low) / (high - low)
    x = crop_and_flip(x, rng, change)
    x = colour(x, rng, change)
    return (x * (high - low) + low).clamp(low, high)


def crop_and_flip(x: Tensor, rng: Generator, change: Augmentation) -> Tensor:
    """Returns a random crop of each image [B, C, H, W], resized to the whole, perhaps mirrored."""
    area = _uniform(x, rng, change.crop, 1.0)
    widest = (-area.log()).clamp(max=log(4 / 3))  # a wider crop of this area would not lie inside the image
    ratio = (_uniform(x, rng, -1.0, 1.0) * widest).exp()
    width, height = (area * ratio).sqrt().clamp(max=1.0), (area / ratio).sqrt().clamp(max=1.0)
    left = _uniform(x, rng, -1.0, 1.0) * (1 - width) + 2 * _uniform(x, rng, -change.shift, change.shift)
    top = _uniform(x, rng, -1.0, 1.0) * (1 - height) + 2 * _uniform(x, rng, -change.shift, change.shift)
    width = width * _uniform(x, rng, 1 - change.zoom, 1 + change.zoom)
    height = height * _uniform(x, rng, 1 - change.zoom, 1 + change.zoom)
    mirror = torch.where(_uniform(x, rng, 0.0, 1.0) < (0.5 if change.flip else 0.0), -1.0, 1.0)
    zero = torch.zeros_like(width)
    window = rearrange([width * mirror, zero, left, zero, height, top], "(row column) b -> b row column", row=2)
    grid = functional.affine_grid(window, list(x.shape), align_corners=False)
    outside = "zeros" if change.shift or change.zoom else "border"
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode=outside, align_corners=False)


def colour(x: Tensor, rng: Generator, change: Augmentation) -> Tensor:
    """Returns each image [B, C, H, W] in [0, 1] with its own brightness, contrast and, in colour, saturation, hue."""
    brightness, contrast, saturation, hue = (_uniform(x, rng, -w, w) for w in change.jitter)
    chosen = _uniform(x, rng, 0.0, 1.0) < change.p_jitter
    grey = _uniform(x, rng, 0.0, 1.0) < change.p_grey
    if any(change.jitter):
        y = kornia.enhance.adjust_brightness_accumulative(x, 1 + brightness)
        y = kornia.enhance.adjust_contrast_with_mean_subtraction(y, 1 + contrast)
        if x.shape[1] == 3:
            y = kornia.enhance.adjust_saturation_with_gray_subtraction(y, 1 + saturation)
            y = kornia.enhance.adjust_hue(y, 2 * pi * hue)
        x = torch.where(rows_as(chosen, x), y, x)
    if x.shape[1] == 3 and change.p_grey:
        x = torch.where(rows_as(grey, x), kornia.color.rgb_to_grayscale(x).expand_as(x), x)
    return x


def _uniform(x: Tensor, rng: Generator, low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(x.shape[0], generator=rng, device=x.device, dtype=x.dtype)

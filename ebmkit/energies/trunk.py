"""From an image to pooled features: a stem, stages of residual blocks, halvings between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmkit.energies.attention import SelfAttention
from ebmkit.energies.heads import ACTIVATIONS, modulated
from ebmkit.energies.resnet_config import ResNetConfig
from ebmkit.energies.standardised import StandardisedBlock
from ebmkit.ops.double_backward import convolved, silu


class ResidualBlock(nn.Module):
    """Activation, convolution, twice, plus a shortcut (1×1 or 3×3 where widths differ); no norm layers."""

    def __init__(
        self,
        inner: int,
        outer: int,
        *,
        activation: str,
        conditioning: int,
        modulation: str,
        shortcut: str,
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(inner, outer, 3, padding=1)
        self.second = nn.Conv2d(outer, outer, 3, padding=1)
        self.shortcut = _shortcut(inner, outer, shortcut) if inner != outer else None
        maps = 1 if modulation == "bias" else 2
        self.modulation = nn.Linear(conditioning, maps * outer) if conditioning else None
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Returns [B, outer, H, W] of x [B, inner, H, W] and a conditioning vector [B, C]."""
        h = modulated(self.first(self.activation(x)), self.modulation, condition)
        h = self.second(self.activation(h))
        result: Tensor = h + (x if self.shortcut is None else self.shortcut(x))
        return result


def _shortcut(inner: int, outer: int, kind: str) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 1, bias=False) if kind == "1x1" else nn.Conv2d(inner, outer, 3, padding=1)


class Smaller(nn.Module):
    """Half the height and width, rounded up: 2×2 average pooling, or a 3×3 convolution and 3×3 average pooling."""

    def __init__(self, inner: int, outer: int, kind: str) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inner, outer, 3, padding=1) if kind == "conv-average" else None
        self.n_derivatives = None if self.convolution is None else 2  # `convolved` has closed forms for two

    def forward(self, h: Tensor) -> Tensor:
        """Returns [B, outer, ⌈H/2⌉, ⌈W/2⌉] of h [B, inner, H, W]."""
        if self.convolution is None:
            return functional.avg_pool2d(h, 2, ceil_mode=True, count_include_pad=False)  # 7 becomes 4, not 3
        return functional.avg_pool2d(convolved(h, self.convolution), 3, stride=2, padding=1)


class Trunk(nn.Module):
    """Stem, stages with half the resolution from one to the next, global pooling: image → [B, widths[-1]].

    In a network of "standardised" blocks an activation follows the stem and each convolution between stages, because
    these blocks do not begin with one.
    """

    def __init__(self, channels: int, config: ResNetConfig, conditioning: int, side: int) -> None:
        super().__init__()
        widths, conv = config.widths, config.downsample == "conv-average"
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.stages = nn.ModuleList()
        self.between = nn.ModuleList()
        attention = {}
        for i, (before, width) in enumerate(pairwise((widths[0], *widths))):
            inner = width if conv else before
            self.stages.append(_stage([inner, *[width] * config.blocks_at(i)], config, conditioning))
            if i:
                self.between.append(Smaller(before, inner, config.downsample))
            if sides(side, len(widths))[i] in config.attention:
                attention[str(i)] = SelfAttention(inner)
        self.attention = nn.ModuleDict(attention)
        self.activates_stem = config.block == "standardised"
        self.activation = (
            silu if self.activates_stem and config.activation == "silu" else ACTIVATIONS[config.activation]
        )
        self.activates_between = self.activates_stem and conv
        self.summed = config.pool == "sum"

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Returns pooled features [B, widths[-1]] of a normalised image [B, channels, H, W]."""
        h = self.stem(x)
        if self.activates_stem:
            h = self.activation(h.contiguous(memory_format=torch.channels_last))  # three times as fast on a CPU
        for i, stage in enumerate(self.stages):
            if i:
                h = self.between[i - 1](h)
                h = self.activation(h) if self.activates_between else h
            if str(i) in self.attention:
                h = self.attention[str(i)](h)
            for block in stage:  # type: ignore[attr-defined]
                h = block(h, condition)
        h = self.activation(h)
        return h.sum(dim=(2, 3)) if self.summed else h.mean(dim=(2, 3))


def sides(side: int, n_stages: int) -> list[int]:
    """Returns the sides of a feature map at each stage, halved and rounded up from one to the next.

    >>> sides(28, 4)
    [28, 14, 7, 4]
    """
    found = [side]
    while len(found) < n_stages:
        found.append(-(-found[-1] // 2))
    return found


def _stage(widths: Sequence[int], config: ResNetConfig, conditioning: int) -> nn.ModuleList:
    shared: dict[str, Any] = {
        "activation": config.activation,
        "conditioning": conditioning,
        "modulation": config.modulation,
    }
    if config.block == "standardised":
        return nn.ModuleList(StandardisedBlock(a, b, **shared) for a, b in pairwise(widths))
    return nn.ModuleList(ResidualBlock(a, b, shortcut=config.shortcut, **shared) for a, b in pairwise(widths))

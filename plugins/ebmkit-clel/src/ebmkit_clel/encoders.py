"""Latent encoders h: image → unit vector. Mean and standard deviation of the data are a layer inside."""

from __future__ import annotations

from itertools import pairwise

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from ebmkit import CapabilityError, at_least_fp32
from ebmkit_clel.declarations import ClelConfig

LARGEST_UNSTRIDED = 32
"""Images up to this size, pixels, keep their resolution in the stem of the ResNet."""


class BasicBlock(nn.Module):
    """Two convolutions with batch norm and a shortcut, the second norm starting at zero (He et al., 2016)."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inner, outer, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outer)
        self.second = nn.Conv2d(outer, outer, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outer)
        self.shortcut = nn.Identity() if (inner, stride) == (outer, 1) else _narrow(inner, outer, stride)
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Returns [B, outer, h, w] of x [B, inner, H, W]."""
        h = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(h)) + self.shortcut(x))


class Encoder(nn.Module):
    """h(x): a convolutional body, global average pooling, and a head F→4F→D with batch norm, normalised."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ClelConfig, body: nn.Module, n_features: int, n_latent: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Sequential(
            nn.Linear(n_features, 4 * n_features, bias=False),
            nn.BatchNorm1d(4 * n_features),
            nn.ReLU(),
            nn.Linear(4 * n_features, n_latent),
        )
        self.register_buffer("mean", rearrange(torch.tensor(config.mean), "c -> 1 c 1 1"), persistent=False)
        self.register_buffer("std", rearrange(torch.tensor(config.std), "c -> 1 c 1 1"), persistent=False)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """Returns latents [B, D] of unit norm, at least fp32, of images [B, C, H, W] in data units."""
        x = ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        pooled = self.body(x).mean(dim=(2, 3))
        return functional.normalize(at_least_fp32(self.head(pooled)), dim=-1)


def make_encoder(config: ClelConfig, width: int, event_shape: tuple[int, ...], n_latent: int) -> Encoder:
    """Returns an encoder of images of this shape into latents of this length.

    Raises:
        CapabilityError: mean or std has neither one value nor one for each channel.
    """
    channels, *size = event_shape
    for name, values in (("mean", config.mean), ("std", config.std)):
        if len(values) not in (1, channels):
            raise CapabilityError(f"clel.{name} has {len(values)} values, but an image has {channels} channels.")
    if config.encoder == "small":
        body = small_body(channels, width)
    else:
        body = resnet18_body(channels, width, strided=min(size) > LARGEST_UNSTRIDED)
    return Encoder(config, body, 8 * width, n_latent)


def resnet18_body(channels: int, width: int, *, strided: bool) -> nn.Sequential:
    """Returns the convolutions of ResNet-18 without max-pooling: image → [B, 8·width, h, w].

    The stem is a 3×3 convolution, or 7×7 with stride 2 where `strided`, as in the reference code for larger images.
    """
    kernel, stride = (7, 2) if strided else (3, 1)
    stem = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
    layers: list[nn.Module] = [stem, nn.BatchNorm2d(width), nn.ReLU()]
    for inner, outer in pairwise((width, width, 2 * width, 4 * width, 8 * width)):
        layers += [BasicBlock(inner, outer, outer // inner), BasicBlock(outer, outer, 1)]
    return nn.Sequential(*layers)


def small_body(channels: int, width: int) -> nn.Sequential:
    """Returns four convolutions of stride 2 with batch norm: image → [B, 8·width, h, w]."""
    layers: list[nn.Module] = []
    for inner, outer in pairwise((channels, width, 2 * width, 4 * width, 8 * width)):
        layers += [nn.Conv2d(inner, outer, 3, 2, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
    return nn.Sequential(*layers)


def _narrow(inner: int, outer: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))

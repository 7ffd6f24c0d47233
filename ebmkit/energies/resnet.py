"""A residual energy for images, in the shape of the CLEL networks (Lee et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from ebmkit.components import BuildContext
from ebmkit.energies.heads import ACTIVATIONS, Condition, Head, answers
from ebmkit.energies.initialise import init_conv, init_linear, seeded
from ebmkit.energies.parts import ResnetConfig
from ebmkit.errors import CapabilityError
from ebmkit.point import Point


class ResidualBlock(nn.Module):
    """Activation, convolution, twice, plus a shortcut (1×1 where widths differ); no norm layers."""

    def __init__(self, inner: int, outer: int, *, activation: str, conditioning: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inner, outer, 3, padding=1)
        self.second = nn.Conv2d(outer, outer, 3, padding=1)
        self.shortcut = nn.Conv2d(inner, outer, 1, bias=False) if inner != outer else None
        self.modulation = nn.Linear(conditioning, 2 * outer) if conditioning else None
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Returns [B, outer, H, W] of x [B, inner, H, W] and a conditioning vector [B, C]."""
        h = self.first(self.activation(x))
        if self.modulation is not None and condition is not None:
            gain, bias = self.modulation(condition.to(h.dtype))[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + gain) + bias
        h = self.second(self.activation(h))
        result: Tensor = h + (x if self.shortcut is None else self.shortcut(x))
        return result


class Trunk(nn.Module):
    """Stem, stages with 2×2 average pooling between them, global average pooling: image → [B, widths[-1]]."""

    def __init__(self, channels: int, config: ResnetConfig, conditioning: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, config.widths[0], 3, padding=1)
        self.stages = nn.ModuleList()
        for inner, outer in pairwise((config.widths[0], *config.widths)):
            widths = [inner] + [outer] * config.blocks
            self.stages.append(
                nn.ModuleList(
                    ResidualBlock(a, b, activation=config.activation, conditioning=conditioning)
                    for a, b in pairwise(widths)
                )
            )
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Returns pooled features [B, widths[-1]] of a normalised image [B, channels, H, W]."""
        h = self.stem(x)
        for i, stage in enumerate(self.stages):
            if i:
                h = functional.avg_pool2d(h, 2, ceil_mode=True, count_include_pad=False)  # 7 becomes 4, not 3
            for block in stage:  # type: ignore[attr-defined]
                h = block(h, condition)
        return self.activation(h).mean(dim=(2, 3))


class Resnet(nn.Module):
    """E(x) = head(f(x)) with f a residual network on the normalised image, at one or several scales."""

    abilities = frozenset({"energy", "features"})
    mean: Tensor
    std: Tensor

    def __init__(self, config: ResnetConfig, context: BuildContext) -> None:
        super().__init__()
        channels = _channels(config, context.event_shape)
        conditioning = config.conditioning or (64 if config.labels else 0)
        self.condition = Condition(conditioning, context.n_classes, labels=config.labels)
        self.trunks = nn.ModuleList(Trunk(channels, config, conditioning) for _ in range(config.n_scales))
        self.project = nn.Linear(config.widths[-1] * config.n_scales, config.hidden)
        self.output = nn.Linear(config.hidden, config.features)
        self.activation = ACTIVATIONS[config.activation]
        self.linear_head = config.head == "linear"
        self.head = Head(config.head, config.features)
        self.register_buffer("mean", torch.tensor(config.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, -1, 1, 1), persistent=False)
        init_conv(self)
        init_linear(self, config.linear_std)
        if config.spectral_norm:
            for layer in [m for m in self.modules() if isinstance(m, nn.Conv2d)]:
                spectral_norm(layer)

    def features(self, point: Point) -> Tensor:
        """Returns f [B, F]."""
        x = (point.x - self.mean) / self.std
        condition = self.condition(point)
        pooled = []
        for i, trunk in enumerate(self.trunks):
            pooled.append(trunk(x if i == 0 else functional.avg_pool2d(x, 2**i), condition))
        h = pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=1)
        f: Tensor = self.output(self.activation(self.project(h)))
        return f

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns "energy" [B] nats and "features" [B, F], from one pass."""
        features = self.features(point)
        return answers(
            features, lambda: self.head(self.activation(features) if self.linear_head else features), abilities
        )

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.evaluate(point, "energy")["energy"]


def _channels(config: ResnetConfig, event_shape: tuple[int, ...]) -> int:
    if len(event_shape) != 3:
        raise CapabilityError(
            f"resnet needs images [channels, height, width], but a datum has shape {event_shape}: use --energy mlp."
        )
    channels, smallest = event_shape[0], min(event_shape[1:])
    halvings = len(config.widths) + config.n_scales - 2
    if smallest >> halvings < 1:
        raise CapabilityError(
            f"An image of {event_shape[1]}×{event_shape[2]} cannot be halved {halvings} times: use fewer than "
            f"{len(config.widths)} widths or {config.n_scales} scales."
        )
    for name, values in (("mean", config.mean), ("std", config.std)):
        if len(values) not in (1, channels):
            raise CapabilityError(f"resnet.{name} has {len(values)} values, but an image has {channels} channels.")
    return channels


def build_resnet(config: ResnetConfig, context: BuildContext) -> Resnet:
    """Builds the network of a config, initialised from the context's seed."""
    with seeded(context.seed):
        return Resnet(config, context).to(context.device)

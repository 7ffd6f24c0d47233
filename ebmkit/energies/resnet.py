"""A residual energy for images: the networks of three papers are settings of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from ebmkit.energies.heads import ACTIVATIONS, Condition, Head, answers
from ebmkit.energies.initialise import init_conv, init_linear
from ebmkit.energies.resnet_config import ResNetConfig, contradiction, groups
from ebmkit.energies.standardised import StandardisedBlock
from ebmkit.energies.trunk import Trunk, sides
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.rng import seeded


class Resnet(nn.Module):
    """E(x) = head(f(x)) with f a residual network on the normalised image, at one or several scales."""

    abilities = frozenset({"energy", "features"})
    mean: Tensor
    std: Tensor

    def __init__(self, config: ResNetConfig, context: BuildContext) -> None:
        super().__init__()
        assert config.mean is not None and config.std is not None  # a settled config
        channels = _channels(config, context.event_shape)
        self.condition = _condition(config, context.n_classes)
        side = min(context.event_shape[1:])
        self.trunks = nn.ModuleList(
            Trunk(channels, config, self.condition.length, side >> i) for i in range(config.n_scales)
        )
        pooled = config.widths[-1] * config.n_scales
        self.project = nn.Linear(pooled, config.hidden) if config.hidden else None
        self.output = nn.Linear(config.hidden or pooled, config.features) if config.features else None
        self.activation = ACTIVATIONS[config.activation]
        self.activates_features = config.head == "linear" and bool(config.hidden or config.features)
        self.head = Head(config.head, config.features or config.hidden or pooled)
        self.register_buffer("mean", rearrange(torch.tensor(config.mean), "c -> 1 c 1 1"), persistent=False)
        self.register_buffer("std", rearrange(torch.tensor(config.std), "c -> 1 c 1 1"), persistent=False)
        init_conv(self)
        init_linear(self, config.linear_std)
        _parametrise(self, config)

    def features(self, point: Point) -> Tensor:
        """Returns f [B, F]."""
        x = (point.x - self.mean) / self.std
        condition = self.condition(point)
        pooled = []
        for i, trunk in enumerate(self.trunks):
            pooled.append(trunk(x if i == 0 else functional.avg_pool2d(x, 2**i), condition))
        f: Tensor = pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=1)
        if self.project is not None:
            f = self.project(f)
        if self.output is not None:
            f = self.output(f if self.project is None else self.activation(f))
        return f

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns "energy" [B] nats and "features" [B, F], from one pass."""
        features = self.features(point)
        return answers(
            features, lambda: self.head(self.activation(features) if self.activates_features else features), abilities
        )

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.evaluate(point, "energy")["energy"]


def build_resnet(config: ResNetConfig, context: BuildContext) -> Resnet:
    """Builds the network of a config, initialised from the context's seed."""
    wrong = contradiction(config)
    if wrong:
        raise CapabilityError(f"resnet: {wrong}")
    settled = config.settled(context.selection())
    with seeded(context.seed):
        return Resnet(settled, context).to(context.device)


def _condition(config: ResNetConfig, n_classes: int) -> Condition:
    one_hot = config.label_as == "one-hot"
    width = config.conditioning or (64 if config.labels and not one_hot else 0)
    return Condition(width, n_classes, labels=config.labels, one_hot=one_hot)


def _parametrise(module: nn.Module, config: ResNetConfig) -> None:
    if config.has_spectral_norm:
        for layer in [m for m in module.modules() if isinstance(m, nn.Conv2d)]:
            spectral_norm(layer)
    for block in [m for m in module.modules() if isinstance(m, StandardisedBlock)]:
        block.standardise()


# --- what cannot be built


def _channels(config: ResNetConfig, event_shape: tuple[int, ...]) -> int:
    """Returns the channels of an image; raises CapabilityError where the network does not suit it."""
    if len(event_shape) != 3:
        raise CapabilityError(
            f"resnet needs images [channels, height, width], but a datum has shape {event_shape}: use --energy mlp."
        )
    channels, smallest = event_shape[0], min(event_shape[1:])
    halvings = len(config.widths) + config.n_scales - 2
    if not _can_be_halved(smallest, config):
        raise CapabilityError(
            f"An image of {event_shape[1]}×{event_shape[2]} cannot be halved {halvings} times: use fewer than "
            f"{len(config.widths)} widths or {config.n_scales} scales."
        )
    for name, values in (("mean", config.mean or ()), ("std", config.std or ())):
        if len(values) not in (1, channels):
            raise CapabilityError(f"resnet.{name} has {len(values)} values, but an image has {channels} channels.")
    _check_sides(config, smallest)
    return channels


def _can_be_halved(side: int, config: ResNetConfig) -> bool:
    """Whether every halving begins with 2 pixels or more; between scales they round down, between stages up."""
    smallest = side >> (config.n_scales - 1)
    found = sides(smallest, len(config.widths))
    return smallest >= 1 and all(before > 1 for before in found[:-1])


def _check_sides(config: ResNetConfig, side: int) -> None:
    found = [sides(side >> i, len(config.widths)) for i in range(config.n_scales)]
    for wanted in config.attention:
        if all(wanted not in stage for stage in found):
            raise CapabilityError(
                f"resnet.attention asks for a side of {wanted}, but the feature maps have sides "
                f"{', '.join(str(s) for s in found[0])}: take some of these, or none."
            )
    if config.block == "standardised":
        for stage, width in enumerate(config.widths):
            if config.blocks_at(stage) and groups(width) == width and found[-1][stage] == 1:
                raise CapabilityError(
                    f"Stage {stage + 1} of resnet has {width} channels of 1×1 pixel, and each would be normalised to "
                    "zero: use fewer widths, no blocks there, or more than 128 channels."
                )

"""A fully connected energy over events of any shape."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from ebmkit.energies.declarations import MlpConfig
from ebmkit.energies.fourier import Fourier
from ebmkit.energies.heads import ACTIVATIONS, Condition, Head, answers, modulated
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.rng import seeded


class Mlp(nn.Module):
    """E(x) = head(f(x)) with f a fully connected network, h ← act(Wh + b).

    A conditioning vector c multiplies and shifts each layer: h ← act(Wh + b)·(1 + gain(c)) + bias(c), f included.
    """

    abilities = frozenset({"energy", "features"})

    def __init__(self, config: MlpConfig, context: BuildContext) -> None:
        super().__init__()
        condition = config.conditioning or (config.widths[0] if config.labels else 0)
        n_inputs = prod(context.event_shape)
        self.normalise = Normalise(config.mean, config.std, n_inputs) if config.mean or config.std else None
        self.waves = Fourier(n_inputs, config.frequencies, config.frequency_sd) if config.frequencies else None
        widths = [n_inputs + 2 * config.frequencies, *config.widths, *([config.features] if config.features else [])]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        if config.first_gain != 1:
            sharpen(self.layers[0], config.first_gain)
        self.modulations = nn.ModuleList(nn.Linear(condition, 2 * width) for width in widths[1:] if condition)
        self.condition = Condition(condition, context.n_classes, labels=config.labels)
        self.activation = ACTIVATIONS[config.activation]
        self.head = Head(config.head, widths[-1])
        self.plain_output = config.head == "half-squared-norm" or config.features > 0

    def features(self, point: Point) -> Tensor:
        """Returns f [B, F]."""
        h = point.x.flatten(1)
        if self.normalise is not None:
            h = self.normalise(h)
        if self.waves is not None:
            h = self.waves(h)
        condition = self.condition(point)
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            h = layer(h)
            if i < last or not self.plain_output:
                h = self.activation(h)
            h = modulated(h, self.modulations[i] if self.modulations else None, condition)
        return h

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns "energy" [B] nats and "features" [B, F], from one pass."""
        features = self.features(point)
        return answers(features, lambda: self.head(features), abilities)

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.evaluate(point, "energy")["energy"]


@torch.no_grad()
def sharpen(layer: nn.Module, gain: float) -> None:
    """Multiplies the weights of a Linear by a factor and its biases by twice that, in place.

    Its units then turn within 1/gain of a datum's size, at places that lie spread over the data: a network learns the
    slow parts of a function first, and this makes sharp ones slow.
    """
    assert isinstance(layer, nn.Linear)
    layer.weight.mul_(gain)
    layer.bias.mul_(2 * gain)


class Normalise(nn.Module):
    """x ↦ (x − mean)/std, entry by entry."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], n_inputs: int) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("std", std)):
            if len(values) not in (0, 1, n_inputs):
                raise CapabilityError(
                    f"mlp: {name} has {len(values)} entries, but a datum has {n_inputs}: give one for all, or one each."
                )
        self.register_buffer("mean", torch.tensor(mean or (0.0,)), persistent=False)
        self.register_buffer("std", torch.tensor(std or (1.0,)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Returns it for x [B, F]."""
        normalised: Tensor = (x - self.mean.to(x.dtype)) / self.std.to(x.dtype)
        return normalised


def build_mlp(config: MlpConfig, context: BuildContext) -> Mlp:
    """Builds the network of a config, initialised from the context's seed."""
    with seeded(context.seed):
        return Mlp(config, context).to(context.device)

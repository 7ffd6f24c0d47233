"""A fully connected energy over events of any shape."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod

from torch import Tensor, nn

from ebmkit.energies.declarations import MlpConfig
from ebmkit.energies.fourier import Fourier
from ebmkit.energies.heads import ACTIVATIONS, Condition, Head, answers, modulated
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
        self.waves = Fourier(n_inputs, config.frequencies, config.frequency_sd) if config.frequencies else None
        widths = [n_inputs + 2 * config.frequencies, *config.widths, *([config.features] if config.features else [])]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.modulations = nn.ModuleList(nn.Linear(condition, 2 * width) for width in widths[1:] if condition)
        self.condition = Condition(condition, context.n_classes, labels=config.labels)
        self.activation = ACTIVATIONS[config.activation]
        self.head = Head(config.head, widths[-1])
        self.plain_output = config.head == "half-squared-norm" or config.features > 0

    def features(self, point: Point) -> Tensor:
        """Returns f [B, F]."""
        h = point.x.flatten(1)
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


def build_mlp(config: MlpConfig, context: BuildContext) -> Mlp:
    """Builds the network of a config, initialised from the context's seed."""
    with seeded(context.seed):
        return Mlp(config, context).to(context.device)

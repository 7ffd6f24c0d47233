"""A fully connected energy over events of any shape."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from ebmkit.components import BuildContext
from ebmkit.energies.heads import ACTIVATIONS, Condition, Head, answers
from ebmkit.energies.initialise import seeded
from ebmkit.energies.parts import MlpConfig
from ebmkit.point import Point


class Mlp(nn.Module):
    """E(x) = head(f(x)) with f a fully connected network."""

    abilities = frozenset({"energy", "features"})

    def __init__(self, config: MlpConfig, context: BuildContext) -> None:
        super().__init__()
        condition = config.conditioning or (config.widths[0] if config.labels else 0)
        widths = [
            prod(context.event_shape) + condition,
            *config.widths,
            *([config.features] if config.features else []),
        ]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.condition = Condition(condition, context.n_classes, labels=config.labels)
        self.activation = ACTIVATIONS[config.activation]
        self.head = Head(config.head, widths[-1])
        self.plain_output = config.head == "half-squared-norm" or config.features > 0

    def features(self, point: Point) -> Tensor:
        """Returns f [B, F]."""
        h = point.x.flatten(1)
        condition = self.condition(point)
        if condition is not None:
            h = torch.cat([h, condition.to(h.dtype)], dim=1)
        for layer in self.layers[:-1]:
            h = self.activation(layer(h))
        h = self.layers[-1](h)
        return h if self.plain_output else self.activation(h)

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

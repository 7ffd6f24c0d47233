"""An energy for images of a few strided convolutions: the cheapest network that sees where things are."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor, nn

from ebmkit.energies.declarations import ConvNetConfig
from ebmkit.energies.heads import ACTIVATIONS, Head, answers
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.rng import seeded


class ConvNet(nn.Module):
    """E(x) = head(f(x)): a 3×3 convolution, 4×4 ones of stride 2, and dense layers on all places of the last.

    Without pooling over places a feature knows where it is, which a pooled one must learn from the borders.
    """

    abilities = frozenset({"energy", "features"})

    def __init__(self, config: ConvNetConfig, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        channels, places = event_shape[0], _places(event_shape, len(config.widths))
        first = nn.Conv2d(channels, config.widths[0], 3, padding=1)
        strided = [nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(config.widths)]
        self.convolutions = nn.ModuleList([first, *strided])
        self.hidden = nn.Linear(config.widths[-1] * places, config.hidden)
        self.output = nn.Linear(config.hidden, config.features)
        self.activation = ACTIVATIONS[config.activation]
        self.head = Head(config.head, config.features)
        for layer in (*self.convolutions, self.hidden, self.output):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def features(self, point: Point) -> Tensor:
        """Returns f [B, F]."""
        h = point.x
        for convolution in self.convolutions:
            h = self.activation(convolution(h))
        features: Tensor = self.output(self.activation(self.hidden(h.flatten(1))))
        return features

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns "energy" [B] nats and "features" [B, F], from one pass."""
        features = self.features(point)
        return answers(features, lambda: self.head(features), abilities)

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.evaluate(point, "energy")["energy"]


def build_convnet(config: ConvNetConfig, context: BuildContext) -> ConvNet:
    """Builds the network of a config, initialised from the context's seed.

    Raises:
        CapabilityError: the data are no images, or too small to be halved so often.
    """
    if len(context.event_shape) != 3:
        raise CapabilityError(
            f"convnet needs images [channels, height, width], but a datum has shape {context.event_shape}: "
            "use --energy mlp."
        )
    with seeded(context.seed):
        return ConvNet(config, context.event_shape).to(context.device)


def _places(event_shape: tuple[int, ...], n_widths: int) -> int:
    """Returns the places of the last convolution; raises CapabilityError where there are none."""
    height, width = (side >> (n_widths - 1) for side in event_shape[1:])
    if not height or not width:
        raise CapabilityError(
            f"An image of {event_shape[1]}×{event_shape[2]} cannot be halved {n_widths - 1} times: give convnet fewer "
            "widths."
        )
    return height * width

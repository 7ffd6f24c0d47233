"""Convolutions with standardised weights, and norms that no other row enters."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils import parametrize

from ebmkit.energies.heads import ACTIVATIONS, modulated
from ebmkit.energies.resnet_config import groups
from ebmkit.ops.double_backward import convolved, normalised, silu

EPSILON = 1e-5


def standardised(weight: Tensor) -> Tensor:
    """Returns (w − mean)/(s.d. + 1e-5) of each output channel's weights [O, I, h, w] (Qiao et al., 2019, eq. 5).

    The s.d. is the unbiased one, and there is no 1/√n: the norm that follows makes the scale meaningless.
    """
    flat = weight.flatten(1)
    centred = flat - flat.mean(dim=1, keepdim=True)
    return (centred / (flat.std(dim=1, keepdim=True) + EPSILON)).view_as(weight)


class Standardise(nn.Module):
    """`standardised` as a parametrisation: sampling folds it to a plain weight, training computes it once a step."""

    def forward(self, weight: Tensor) -> Tensor:
        """Returns the standardised weight."""
        return standardised(weight)


def standardise(layer: nn.Conv2d) -> None:
    """Standardises the weight of a layer from now on, in place; initialise it before."""
    parametrize.register_parametrization(layer, "weight", Standardise())


class Norm(nn.Module):
    """Each row to mean 0 and variance 1: each channel on its own up to 128 channels, else in 32 groups; then scaled.

    One group a channel is instance normalisation. The memory format of the input is kept.
    """

    n_derivatives = 2  # `normalised` has closed forms for two

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups(channels), channels)

    def forward(self, x: Tensor) -> Tensor:
        """Returns [B, C, H, W] of x [B, C, H, W]."""
        return normalised(x, self.norm.num_groups, self.norm.weight, self.norm.bias)


class StandardisedBlock(nn.Module):
    """Standardised convolution, norm, activation, twice, plus a shortcut (Du, Li, Tenenbaum, Mordatch, 2021).

    A conditioning vector scales and shifts each norm's output; the published code has gain(c) where this has
    1 + gain(c), which is the same family. The convolutions' biases vanish where the norm is each channel's own; they
    are there because they are counted in the published sizes.
    """

    def __init__(self, inner: int, outer: int, *, activation: str, conditioning: int, modulation: str) -> None:
        super().__init__()
        self.first = nn.Conv2d(inner, outer, 3, padding=1)
        self.second = nn.Conv2d(outer, outer, 3, padding=1)
        self.norms = nn.ModuleList([Norm(outer), Norm(outer)])
        self.shortcut = nn.Conv2d(inner, outer, 1, bias=False) if inner != outer else None
        maps = 1 if modulation == "bias" else 2
        self.modulations = nn.ModuleList(nn.Linear(conditioning, maps * outer) for _ in range(2) if conditioning)
        self.activation = silu if activation == "silu" else ACTIVATIONS[activation]

    def standardise(self) -> None:
        """Standardises the weights of both convolutions; once, after their initialisation."""
        standardise(self.first)
        standardise(self.second)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Returns [B, outer, H, W] of x [B, inner, H, W] and a conditioning vector [B, C]."""
        h = x
        for i, layer in enumerate((self.first, self.second)):
            h = self.norms[i](convolved(h, layer))
            h = self.activation(modulated(h, self.modulations[i] if self.modulations else None, condition))
        result: Tensor = h + (x if self.shortcut is None else convolved(x, self.shortcut))
        return result

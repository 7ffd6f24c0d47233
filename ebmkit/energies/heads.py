"""From a feature vector to an energy, and the conditioning vector that blocks can listen to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols.energy import at_least_fp32

CONDITION = "condition"
"""Key in `Point.aux` under which a wrapper hands a backbone its conditioning vector [B, C]."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "leaky-relu": partial(functional.leaky_relu, negative_slope=0.2),
    "silu": functional.silu,
    "softplus": functional.softplus,
}


def half_squared_norm(features: Tensor) -> Tensor:
    """Returns ½‖f‖² [B], nats, for features [B, F] (Lee et al., 2023)."""
    return 0.5 * features.square().sum(dim=-1)


def modulated(h: Tensor, maps: nn.Module | None, condition: Tensor | None) -> Tensor:
    """Returns h·(1 + gain(c)) + bias(c) [B, F, ...]; h itself where nothing conditions it (Perez et al., 2018, eq. 3).

    Args:
        h: activations [B, F, ...].
        maps: from c to gain and bias [B, 2F], or to the bias alone [B, F].
        condition: c [B, C].
    """
    if maps is None or condition is None:
        return h
    both: Tensor = maps(condition.to(h.dtype))
    both = both.view(*both.shape, *[1] * (h.ndim - 2))
    if both.shape[1] == h.shape[1]:
        return h + both
    gain, bias = both.chunk(2, dim=1)
    result: Tensor = h * (1 + gain) + bias
    return result


class Head(nn.Module):
    """Energy of a feature vector: ½‖f‖² without parameters, or w·f + b."""

    def __init__(self, kind: str, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1) if kind == "linear" else None

    def forward(self, features: Tensor) -> Tensor:
        """Returns the energies [B], nats, of features [B, F]."""
        if self.linear is None:
            return half_squared_norm(at_least_fp32(features))
        return at_least_fp32(self.linear(features).squeeze(-1))


class Condition(nn.Module):
    """The conditioning vector of a point: what a wrapper put there, and the label.

    A learned embedding of the label is added to the vector; a one-hot label stands before it.

    Attributes:
        width: length of the vector that a wrapper gives.
        length: of the whole.

    Raises:
        CapabilityError: the backbone lacks a vector or a label that it expects, or is given a vector that it does not.
    """

    def __init__(self, width: int, n_classes: int, *, labels: bool, one_hot: bool = False) -> None:
        super().__init__()
        if labels and n_classes < 2:
            raise CapabilityError("labels = true, but the data set has no labels: choose a set with labels.")
        self.width = width
        self.n_one_hot = n_classes if labels and one_hot else 0
        self.length = width + self.n_one_hot
        self.embedding = nn.Embedding(n_classes, width) if labels and not one_hot else None

    def forward(self, point: Point) -> Tensor | None:
        """Returns the conditioning vector [B, length], or None for a backbone without one."""
        given = point.aux.get(CONDITION)
        if given is not None and given.shape[1:] != (self.width,):
            raise CapabilityError(
                f"The energy was given a conditioning vector {tuple(given.shape[1:])}, but expects "
                f"{self.width or 'none'}: set energy.conditioning to its length."
            )
        if given is None and self.width and self.embedding is None:
            raise CapabilityError(
                f"The energy expects a conditioning vector of length {self.width}, but nothing gives one: "
                "set energy.conditioning = 0, or add the wrapper that gives it."
            )
        if self.embedding is None and not self.n_one_hot:
            return given
        if "label" not in point.aux:
            raise CapabilityError("The energy sees labels, but the point has no 'label': add --coordinate label.")
        return self._with_label(point.aux["label"], given, point.x.dtype)

    def _with_label(self, label: Tensor, given: Tensor | None, dtype: torch.dtype) -> Tensor:
        if self.embedding is not None:
            embedded: Tensor = self.embedding(label)
            return embedded if given is None else embedded + given
        one_hot = (label[:, None] == torch.arange(self.n_one_hot, device=label.device)).to(dtype)
        return one_hot if given is None else torch.cat([one_hot, given.to(dtype)], dim=1)


def answers(features: Tensor, energy: Callable[[], Tensor], abilities: tuple[str, ...]) -> dict[str, Tensor]:
    """Returns the abilities of a backbone by name; the energy is computed only when asked.

    Raises:
        CapabilityError: something else was asked.
    """
    values: dict[str, Tensor] = {}
    for name in abilities:
        if name == "energy":
            values[name] = energy()
        elif name == "features":
            values[name] = features
        else:
            raise CapabilityError(f"'{name}' was asked of a backbone, which gives: energy, features.")
    return values

"""From a feature vector to an energy, and the conditioning vector that blocks can listen to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional

from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols import at_least_fp32

CONDITION = "condition"
"""Key in `Point.aux` under which a wrapper hands a backbone its conditioning vector [B, C]."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "leaky-relu": partial(functional.leaky_relu, negative_slope=0.2),
    "silu": functional.silu,
}


def half_squared_norm(features: Tensor) -> Tensor:
    """Returns ½‖f‖² [B], nats, for features [B, F] (Lee et al., 2023)."""
    return 0.5 * features.square().sum(dim=-1)


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
    """The conditioning vector of a point: what a wrapper put there, plus an embedding of the label.

    Raises:
        CapabilityError: the backbone lacks a vector or a label that it expects, or is given a vector that it does not.
    """

    def __init__(self, width: int, n_classes: int, *, labels: bool) -> None:
        super().__init__()
        self.width = width
        if labels and n_classes < 2:
            raise CapabilityError("labels = true, but the data set has no labels: choose a set with labels.")
        self.embedding = nn.Embedding(n_classes, width) if labels else None

    def forward(self, point: Point) -> Tensor | None:
        """Returns the conditioning vector [B, width], or None for a backbone without one."""
        given = point.aux.get(CONDITION)
        if given is not None and given.shape[1:] != (self.width,):
            raise CapabilityError(
                f"The energy was given a conditioning vector {tuple(given.shape[1:])}, but expects "
                f"{self.width or 'none'}: set energy.conditioning to its length."
            )
        if self.embedding is None:
            if self.width and given is None:
                raise CapabilityError(
                    f"The energy expects a conditioning vector of length {self.width}, but nothing gives one: "
                    "set energy.conditioning = 0, or add the wrapper that gives it."
                )
            return given
        if "label" not in point.aux:
            raise CapabilityError("The energy sees labels, but the point has no 'label': add --coordinate label.")
        label: Tensor = self.embedding(point.aux["label"])
        return label if given is None else label + given


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

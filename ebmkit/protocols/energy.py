"""What each kind of part promises. Nothing here runs a chain or owns a parameter."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.point import Point


class Energy(Protocol):
    """Maps a point to one number a row, in nats: low means likely, p(x) ∝ exp(−E(x)/T).

    Rows do not see each other. An energy that can give more than its value (features, latent, levels)
    says so in `abilities` and answers `evaluate`, which asks its backbone once for everything.
    """

    def __call__(self, point: Point, /) -> Tensor:
        """Returns the energies [B], nats."""
        ...


def evaluate(energy: Energy, point: Point, *abilities: str) -> Mapping[str, Tensor]:
    """Returns what was asked of an energy, by name, from one pass where it can.

    Args:
        energy: any energy; one without an `evaluate` method is asked for each ability by its own method.
        point: B configurations.
        abilities: `"energy"` [B] nats, `"features"` [B, F], `"latent"` [B, D] of unit norm, `"levels"` [B, L] nats.

    Raises:
        CapabilityError: the energy cannot give one of them.
    """
    method = getattr(energy, "evaluate", None)
    if method is not None:
        values: Mapping[str, Tensor] = method(point, *abilities)
        return values
    return {name: _ability(energy, name)(point) for name in abilities}


def at_least_fp32(values: Tensor) -> Tensor:
    """Returns energies in fp32, or in float64 where that is what they are in: differences of nats need the digits."""
    return values if values.dtype == torch.float64 else values.float()


def _ability(energy: Energy, name: str) -> Callable[[Point], Tensor]:
    if name == "energy":
        return energy
    method: Callable[[Point], Tensor] | None = getattr(energy, name, None)
    if method is None:
        raise lacks_ability(energy, name)
    return method


def lacks_ability(energy: object, name: str) -> CapabilityError:
    """Returns the error for an ability that an energy was asked for and does not have."""
    have = ", ".join(sorted(abilities_of(energy)))
    return CapabilityError(
        f"'{name}' was asked of {type(energy).__name__}, which gives: {have}. Wrap it in a part that gives '{name}'."
    )


def abilities_of(energy: object) -> frozenset[str]:
    """Returns the names an energy answers to in `evaluate`; every energy answers to `"energy"`."""
    return frozenset(getattr(energy, "abilities", frozenset())) | {"energy"}


@runtime_checkable
class EnergyView(Protocol):
    """What sampling sees of an energy: values and gradients in x, no parameter gradients.

    Attributes:
        live: the energy itself, for the moves whose graph is kept.
        precision: of the gradient. With "fp32", energy and gradient are one pass.
        captures: whether loops of moves are captured whole; such a view is a `CapturingView`.
    """

    live: Energy

    @property
    def precision(self) -> Literal["fp32", "bf16"]:
        """Of the gradient."""
        ...

    @property
    def captures(self) -> bool:
        """Whether loops of moves are captured whole."""
        ...

    def energy(self, point: Point) -> Tensor:
        """Returns the energies [B], nats, in fp32: for acceptance ratios."""
        ...

    def levels(self, point: Point, name: str = "level") -> Tensor:
        """Returns the energies [B, L] of all values of a discrete coordinate, nats, in fp32: for Gibbs draws."""
        ...

    def gradient(self, point: Point) -> Tensor:
        """Returns ∇ₓE [B, *event], nats per data unit, perhaps from a bf16 pass."""
        ...

    def energy_and_gradient(self, point: Point) -> tuple[Tensor, Tensor]:
        """Returns both, from one pass where their precisions agree."""
        ...


Loop = Callable[[Callable[[Point], Tensor], Point, Tensor], Tensor]
"""Makes one move for each row of noise from a point, by a gradient that it is handed; returns x."""


@runtime_checkable
class CapturingView(EnergyView, Protocol):
    """A view that can make the moves of a loop as one captured graph."""

    def moves(self, key: Hashable, loop: Loop, point: Point, noise: Tensor) -> Tensor:
        """Returns x after the moves: `loop(gradient, point, noise)`, captured once for each key and shape."""
        ...

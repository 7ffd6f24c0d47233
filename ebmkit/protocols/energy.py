"""What an energy promises, what sampling sees of it, and how it is asked for more than its value."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn

from ebmkit.errors import CapabilityError
from ebmkit.point import Point

LEVELS = "levels."
"""How the ability to give the energies of all values of a coordinate begins."""


class Energy(Protocol):
    """Maps a point to one number a row, in nats: low means likely, p(x) ∝ exp(−E(x)/T).

    Rows do not see each other. An energy that can give more than its value (features, latent, levels of a coordinate)
    says so in `abilities` and answers `evaluate`, which asks its backbone once for everything. One that can be
    differentiated only so many times says so in `n_derivatives`.
    """

    def __call__(self, point: Point, /) -> Tensor:
        """Returns the energies [B], nats."""
        ...


@runtime_checkable
class Draws(Protocol):
    """An energy whose law is known where a coordinate has some value, as at a last noise level that is a Gaussian."""

    def drawn(self, point: Point, rng: Generator) -> Tensor | None:
        """Returns x [B, *event] from p(x | coordinates), at T of the run; None where that of a row is not known."""
        ...


def levels_of(name: str) -> str:
    """Returns the ability to give the energies of all values of a coordinate, given all else.

    >>> levels_of("level")
    'levels.level'
    """
    return LEVELS + name


def level_coordinate_of(ability: str) -> str:
    """Returns the coordinate all of whose values an ability is about, "" for any other ability.

    >>> level_coordinate_of("levels.level"), level_coordinate_of("features")
    ('level', '')
    """
    return ability.removeprefix(LEVELS) if ability.startswith(LEVELS) else ""


def values_of(energy: Energy, point: Point, *abilities: str) -> Mapping[str, Tensor]:
    """Returns what was asked of an energy, by name, from one pass where it can.

    Args:
        energy: any energy; one without an `evaluate` method is asked for each ability by the method of its name, and
            for "levels.NAME" by `levels(point, NAME)`.
        point: B configurations.
        abilities: `"energy"` [B] nats, `"features"` [B, F], `"latent"` [B, D] of unit norm, `"levels.NAME"` [B, L]
            nats, of the L values of a discrete coordinate, whatever the point's own value is.

    Raises:
        CapabilityError: the energy cannot give one of them.
    """
    for name in abilities:
        if name.startswith(LEVELS) and name not in abilities_of(energy):
            raise lacks_ability(energy, name)
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
    coordinate = level_coordinate_of(name)
    method: Callable[..., Tensor] | None = getattr(energy, "levels" if coordinate else name, None)
    if method is None:
        raise lacks_ability(energy, name)
    return partial(method, name=coordinate) if coordinate else method


def lacks_ability(energy: object, name: str) -> CapabilityError:
    """Returns the error for an ability that an energy was asked for and does not have."""
    have = ", ".join(sorted(abilities_of(energy)))
    return CapabilityError(
        f"'{name}' was asked of {type(energy).__name__}, which gives: {have}. Wrap it in a part that gives '{name}'."
    )


def abilities_of(energy: object) -> frozenset[str]:
    """Returns the names an energy answers to in `evaluate`; every energy answers to `"energy"`."""
    return frozenset(getattr(energy, "abilities", frozenset())) | {"energy"}


def derivatives_of(energy: object) -> int | None:
    """Returns how often an energy can be differentiated in a row, None where there is no bound.

    A module that has a bound says so in an attribute `n_derivatives`; what contains it has the least of its modules'.
    """
    modules = energy.modules() if isinstance(energy, nn.Module) else (energy,)
    bounds = (getattr(module, "n_derivatives", None) for module in modules)
    return min((int(bound) for bound in bounds if bound is not None), default=None)


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

    def levels(self, point: Point, name: str) -> Tensor:
        """Returns the energies [B, L] of all values of that coordinate given all else, nats, in fp32: for Gibbs."""
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

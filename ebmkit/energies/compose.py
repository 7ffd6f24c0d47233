"""Energies made of energies: products and mixtures of densities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from ebmkit.energies.wrap import AnyEnergy, as_energy
from ebmkit.errors import CapabilityError
from ebmkit.ops.rows import rows_as
from ebmkit.point import Point
from ebmkit.protocols.energy import (
    Energy,
    abilities_of,
    at_least_fp32,
    derivatives_of,
    lacks_ability,
    level_coordinate_of,
    values_of,
)

Combine = Callable[[Tensor, Tensor], Tensor]


def is_combined(ability: str) -> bool:
    """Whether energies can be put together from it; features and latents of different parts have nothing in common."""
    return ability == "energy" or bool(level_coordinate_of(ability))


def weighted_sum(energies: Tensor, weights: Tensor) -> Tensor:
    """Returns Σ wᵢEᵢ [B] or [B, L] of energies [n, B] or [n, B, L] and weights [n]: p ∝ Π pᵢ^wᵢ (Hinton, 2002)."""
    return (rows_as(weights, energies) * energies).sum(dim=0)


def soft_minimum(energies: Tensor, log_weights: Tensor, temperature: float = 1.0) -> Tensor:
    """Returns −T log Σ exp(aᵢ − Eᵢ/T) of energies [n, B] or [n, B, L] and log-weights [n]: p ∝ Σ exp(aᵢ − Eᵢ/T)."""
    return -temperature * torch.logsumexp(rows_as(log_weights, energies) - energies / temperature, dim=0)


class Composition(nn.Module):
    """A function of the energies that several parts give one point.

    It gives all values of a coordinate where all parts do, and hides everything else that they can give. A point
    reaches every part with all its coordinates, so a label, a level or a given latent holds for each of them.

    Raises:
        CapabilityError: there is no energy, another number of weights, or a weight that is no number.
    """

    weights: Tensor

    def __init__(
        self, energies: Sequence[AnyEnergy], weights: Sequence[float] | None, usual: float, combine: Combine
    ) -> None:
        super().__init__()
        if not energies:
            raise CapabilityError("A composition needs at least one energy.")
        values = [usual] * len(energies) if weights is None else list(weights)
        if len(values) != len(energies):
            raise CapabilityError(f"{len(energies)} energies were given {len(values)} weights: give one for each.")
        if any(value != value or value == torch.inf for value in values):
            raise CapabilityError(f"Weights are numbers, but these are {', '.join(f'{value:g}' for value in values)}.")
        self.parts = _as_modules(energies)
        self._is_settled = False
        self.combine = combine
        self.abilities = frozenset(filter(is_combined, frozenset.intersection(*map(abilities_of, self.parts))))
        self.register_buffer("weights", torch.tensor(values, dtype=torch.float32), persistent=False)

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns the energies [B], and those of all values of a coordinate [B, L], from one pass of each part."""
        for name in abilities:
            if name not in self.abilities:
                raise lacks_ability(self, name)
        self.settle(point)
        answers = [values_of(part, point, *abilities) for part in self.parts]
        return {name: self._combined(name, [answer[name] for answer in answers]) for name in abilities}

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.evaluate(point, "energy")["energy"]

    def settle(self, point: Point) -> None:
        """Asks each part once whether it takes points or x alone; raises CapabilityError where it takes neither."""
        if not self._is_settled:
            taken = [as_energy(p.function if isinstance(p, _Plain) else p, point) for p in self.parts]
            self.parts = _as_modules(taken)
            self._is_settled = True

    def _combined(self, name: str, values: list[Tensor]) -> Tensor:
        shapes = sorted({tuple(value.shape[1:]) for value in values})
        if len(shapes) > 1:
            coordinate = level_coordinate_of(name)
            what = f"energies of all values of '{coordinate}'" if coordinate else "energies"
            raise CapabilityError(f"Energies of one point were composed, but the {what} have shapes {shapes} a row.")
        energies = torch.stack([at_least_fp32(value) for value in values])
        return self.combine(energies, self.weights.to(energies))


def _as_modules(energies: Iterable[AnyEnergy]) -> nn.ModuleList:
    return nn.ModuleList(e if isinstance(e, nn.Module) else _Plain(cast(Energy, e)) for e in energies)


class _Plain(nn.Module):
    """A plain callable as a part; copying the module shares it."""

    def __init__(self, function: Energy) -> None:
        super().__init__()
        self.function = function
        self.abilities = abilities_of(function)
        self.n_derivatives = derivatives_of(function)

    def __deepcopy__(self, memo: object) -> _Plain:
        return _Plain(self.function)

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        return values_of(self.function, point, *abilities)

    def forward(self, point: Point) -> Tensor:
        value: Tensor = self.function(point)
        return value


def product(*energies: AnyEnergy, weights: Sequence[float] | None = None) -> Composition:
    """Returns the energy Σ wᵢEᵢ, "all of them"; a negative weight negates (Du, Li, Mordatch, 2020).

    The energies are modules or functions of a `Point`, or of x, to [B], nats.

    >>> import torch, ebmkit
    >>> both = ebmkit.product(lambda p: p.x.sum(1), lambda p: p.x.sum(1), weights=[1, -1])
    >>> both(ebmkit.Point(x=torch.ones(1, 2)))
    tensor([0.])
    """
    if -torch.inf in (weights or ()):
        raise CapabilityError("Weights are numbers, but one of these is -inf.")
    return Composition(energies, weights, 1.0, weighted_sum)


def mixture(*energies: AnyEnergy, log_weights: Sequence[float] | None = None, temperature: float = 1.0) -> Composition:
    """Returns the energy −T log Σ exp(aᵢ − Eᵢ/T), "any of them".

    Densities p ∝ exp(−E/T) mix at one temperature only: for runs, give theirs (`run.recipe.table("run").temperature`);
    at another one this energy is no mixture. Unnormalised energies have unknown normalisers Zᵢ: component i has weight
    exp(aᵢ)·Zᵢ, so offsets aᵢ = −log Zᵢ give equal shares.

    Args:
        *energies: modules or functions of a `Point`, or of x, to [B], nats.
        log_weights: offsets aᵢ; zero where they are left out.
        temperature: T at which the parts are sampled, and the mixture is to be.

    Raises:
        CapabilityError: there is no energy, another number of weights, or a temperature that is not positive.

    >>> import torch, ebmkit
    >>> either = ebmkit.mixture(lambda p: p.x.sum(1), lambda p: p.x.sum(1))
    >>> round(float(either(ebmkit.Point(x=torch.zeros(1, 2)))), 4)
    -0.6931
    """
    if not temperature > 0:
        raise CapabilityError(f"A mixture needs a temperature above 0, found {temperature}.")
    return Composition(energies, log_weights, 0.0, partial(soft_minimum, temperature=temperature))

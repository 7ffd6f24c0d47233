"""Any module or callable as an energy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy, at_least_fp32, derivatives_of


class ModuleEnergy(nn.Module):
    """The energy of a module that sees only x; logits [B, K] count as −logsumexp (Grathwohl et al., 2020, eq. 6)."""

    def __init__(self, module: nn.Module, output: str) -> None:
        super().__init__()
        self.module = module
        self.output = output

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats; raises CapabilityError where the module returned another shape."""
        value: Tensor = self.module(point.x)
        if self.output != "logits" and value.shape in ((len(point),), (len(point), 1)):
            return at_least_fp32(value.reshape(len(point)))
        if self.output != "energy" and value.ndim == 2:
            return -torch.logsumexp(at_least_fp32(value), dim=1)
        raise CapabilityError(
            f"{type(self.module).__name__} returned shape {tuple(value.shape)} for {len(point)} rows; an energy is "
            "[B] or [B, 1], a classifier's logits are [B, K]."
        )


def energy(
    module: nn.Module | Callable[[Tensor], Tensor], output: Literal["auto", "energy", "logits"] = "auto"
) -> ModuleEnergy:
    """Makes an energy of a module over x.

    Args:
        module: maps x [B, *event] to energies [B] or [B, 1] (nats), or to a classifier's logits [B, K].
        output: which of the two it returns; "auto" tells by the shape, taking [B, 1] for energies.

    Returns:
        An energy; of logits, −log Σ exp(logits).

    Raises:
        CapabilityError: `output` is something else; when called, the module returned another shape.

    Source: Grathwohl et al., Your classifier is secretly an energy based model, ICLR 2020.

    >>> import torch, ebmkit
    >>> quadratic = ebmkit.energy(lambda x: x.square().sum(dim=1) / 2)
    >>> quadratic(ebmkit.Point(x=torch.ones(3, 2)))
    tensor([1., 1., 1.])
    """
    if output not in ("auto", "energy", "logits"):
        raise CapabilityError(f"output '{output}' is unknown: auto, energy or logits.")
    return ModuleEnergy(module if isinstance(module, nn.Module) else _Callable(module), output)


class _Callable(nn.Module):
    """A plain function as a module; copying the module shares it."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.n_derivatives = derivatives_of(function)

    def __deepcopy__(self, memo: object) -> _Callable:
        return _Callable(self.function)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def as_energy(energy: Callable[..., Tensor], point: Point) -> Energy:
    """Returns an energy of points, made of one of points or of a network over x."""
    if isinstance(energy, nn.Module) and hasattr(energy, "abilities"):
        return energy
    try:
        with torch.no_grad():
            energy(point)
    except (AttributeError, TypeError):
        return make(energy)
    return energy


make = energy

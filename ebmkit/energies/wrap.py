"""Any module or callable as an energy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

import torch
from torch import Tensor, nn

from ebmkit.energies.trial import name_of, neither, not_callable, tried, untouched
from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy, at_least_fp32, derivatives_of

Output = Literal["auto", "energy", "logits", "log_density"]
AnyEnergy = Energy | nn.Module | Callable[[Tensor], Tensor]
"""An energy over points, or a module or function over x that returns [B] or [B, 1] nats."""

OUTPUTS = ("auto", "energy", "logits", "log_density")


class ModuleEnergy(nn.Module):
    """The energy of a module that sees only x; logits [B, K] count as −logsumexp (Grathwohl et al., 2020, eq. 6)."""

    def __init__(self, module: nn.Module, output: str) -> None:
        super().__init__()
        self.module = module
        self.output = output

    @property
    def _name(self) -> str:
        return name_of(self.module.function if isinstance(self.module, _Callable) else self.module)

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats; raises CapabilityError where the module returned another shape."""
        value, n = self.module(point.x), point.x.shape[0]
        if not isinstance(value, Tensor):
            found = f"{self._name} returned {type(value).__name__} for {n} rows"
            raise CapabilityError(f"{found}; an energy is a tensor [B].")
        if self.output != "logits" and value.shape in ((n,), (n, 1)):
            energy = at_least_fp32(value.reshape(n))
            return -energy if self.output == "log_density" else energy
        if self.output in ("auto", "logits") and value.ndim == 2:
            return -torch.logsumexp(at_least_fp32(value), dim=1)
        raise CapabilityError(
            f"{self._name} returned shape {tuple(value.shape)} for {n} rows; an energy is [B] or "
            '[B, 1]. Of a classifier\'s logits [B, K] it is ebmkit.energy(module, output="logits").'
        )


def energy(module: nn.Module | Callable[[Tensor], Tensor], output: Output = "auto") -> ModuleEnergy:
    """Makes an energy of a module over x.

    Args:
        module: maps x [B, *event] to energies [B] or [B, 1] (nats), to a classifier's logits [B, K], or to log p(x) up
            to a constant, [B] or [B, 1]. One that takes a single x: `torch.vmap(function)`.
        output: which of them it returns; "auto" tells energies and logits by the shape, taking [B, 1] for energies; a
            log-density must be called "log_density".

    Returns:
        An energy; of logits, −log Σ exp(logits); of a log-density, −log p.

    Raises:
        CapabilityError: `output` is something else; when called, the module returned another shape.

    Source: Grathwohl et al., Your classifier is secretly an energy based model, ICLR 2020.

    >>> import torch, ebmkit
    >>> quadratic = ebmkit.energy(lambda x: x.square().sum(dim=1) / 2)
    >>> quadratic(ebmkit.Point(x=torch.ones(3, 2)))
    tensor([1., 1., 1.])
    """
    if output not in OUTPUTS:
        raise CapabilityError(f"output '{output}' is unknown: {', '.join(OUTPUTS)}.")
    return ModuleEnergy(module if isinstance(module, nn.Module) else _Callable(module), output)


def as_energy(given: AnyEnergy, point: Point) -> Energy:
    """Returns an energy over points of what may be one already, or a module or function over x.

    What says of itself that it is an energy (`abilities`, `evaluate`) is taken as it is. Anything else is asked once,
    in evaluation mode, about the first two rows (a function: about all): with the point, then with x alone. Random
    streams, modes and buffers are as before afterwards.

    Args:
        given: what somebody calls an energy.
        point: chains or data that it will be asked about.

    Raises:
        CapabilityError: it takes neither, or returns something else than one number a row.

    >>> import torch
    >>> as_energy(torch.nn.Linear(2, 1), Point(x=torch.zeros(3, 2)))(Point(x=torch.zeros(3, 2))).shape
    torch.Size([3])
    """
    if isinstance(given, ModuleEnergy) or hasattr(given, "abilities") or hasattr(given, "evaluate"):
        if callable(settle := getattr(given, "settle", None)):  # a composition, whose parts may take x
            settle(point)
        return cast(Energy, given)
    if not callable(given):
        raise CapabilityError(not_callable(given))
    few = point.map(lambda tensor: tensor[:2]) if isinstance(given, nn.Module) else point
    with untouched(given, few.x.device):
        with_point = tried(cast(Energy, given), few)
        if isinstance(with_point, Tensor):
            return cast(Energy, given)
        over_x = energy(cast("nn.Module", given), output="energy")
        with_x = tried(over_x, few)
    if isinstance(with_x, Tensor):
        return over_x
    raise neither(given, few, with_point, with_x) from (with_x if isinstance(with_x, Exception) else None)


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

"""What sampling sees of an energy: a frozen copy, folded to plain weights, refreshed by copying after each step."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ebmkit.errors import CapabilityError
from ebmkit.frozen import Form, FrozenCopy, iterate_parametrisations, parametrised, settle_parametrisations
from ebmkit.point import Point
from ebmkit.protocols import Energy, at_least_fp32, evaluate

__all__ = [
    "CallableView",
    "FrozenCopy",
    "FrozenView",
    "iterate_parametrisations",
    "parametrised",
    "settle_parametrisations",
    "view",
]

Precision = Literal["fp32", "bf16"]


class FrozenView:
    """The view of an energy that is a module: fp32 values, bit-equal to the live ones, and drifts as fast as allowed.

    Attributes:
        live: the module, for the moves whose graph is kept.
        precision: of the drift.
    """

    def __init__(self, live: nn.Module, precision: Precision = "fp32") -> None:
        self.live: Energy = live
        self.precision = precision
        plain = precision == "fp32" and not any(isinstance(module, nn.Conv2d) for module in live.modules())
        self._drift_form: Form = "exact" if plain else precision
        self._copies: dict[Form, FrozenCopy] = {}

    @property
    def constant(self) -> Energy:
        """The energy in fp32 with its parameters held constant: gradients reach the point alone."""
        module: Energy = self._copy("exact").module
        return module

    def refresh(self) -> None:
        """Copies the live weights; call it after each optimiser step."""
        for frozen in self._copies.values():
            frozen.refresh()

    def energy(self, point: Point) -> Tensor:
        """Returns the energies [B], nats, in fp32."""
        with torch.no_grad():
            return self._ask(point, "exact", "energy")

    def levels(self, point: Point, name: str = "level") -> Tensor:
        """Returns the energies [B, L] of all values of a discrete coordinate, nats, in fp32."""
        with torch.no_grad():
            return self._ask(point.without(name), "exact", "levels")

    def drift(self, point: Point) -> Tensor:
        """Returns ∇ₓE [B, *event], nats per data unit, in the dtype and memory format of x."""
        return self._gradient(point)[1]

    def energy_and_drift(self, point: Point) -> tuple[Tensor, Tensor]:
        """Returns the energies [B] in fp32 and the drift, from one pass where the drift is fp32 too."""
        if self.precision == "fp32":
            return self._gradient(point)
        return self.energy(point), self.drift(point)

    def _gradient(self, point: Point) -> tuple[Tensor, Tensor]:
        with torch.enable_grad(), torch.autocast(point.x.device.type, enabled=False):
            x = point.x.detach().requires_grad_()
            energy = self._ask(point.replace(x=x), self._drift_form, "energy")
            return energy.detach(), _gradient_in(x, energy)

    def _ask(self, point: Point, form: Form, ability: str) -> Tensor:
        module: Energy = self._copy(form).module
        if point.x.dtype in (torch.bfloat16, torch.float16):
            point = point.replace(x=point.x.float())
        with torch.autocast(point.x.device.type, torch.bfloat16, enabled=form == "bf16", cache_enabled=False):
            return at_least_fp32(evaluate(module, point, ability)[ability])

    def _copy(self, form: Form) -> FrozenCopy:
        assert isinstance(self.live, nn.Module)
        if form not in self._copies:
            self._copies[form] = FrozenCopy(self.live, form)
        return self._copies[form]


class CallableView:
    """The view of a plain callable: asked as it is.

    Attributes:
        live: the callable.
        constant: the same; what it closes over is its own business.
    """

    def __init__(self, live: Energy) -> None:
        self.live = live
        self.constant = live

    def refresh(self) -> None:
        """Does nothing: there is no copy."""

    def energy(self, point: Point) -> Tensor:
        """Returns the energies [B], nats, in fp32."""
        with torch.no_grad():
            return at_least_fp32(self.live(point))

    def levels(self, point: Point, name: str = "level") -> Tensor:
        """Returns the energies [B, L] of all values of a discrete coordinate, nats, in fp32."""
        with torch.no_grad():
            return at_least_fp32(evaluate(self.live, point.without(name), "levels")["levels"])

    def drift(self, point: Point) -> Tensor:
        """Returns ∇ₓE [B, *event], nats per data unit, in the dtype and memory format of x."""
        return self.energy_and_drift(point)[1]

    def energy_and_drift(self, point: Point) -> tuple[Tensor, Tensor]:
        """Returns the energies [B] in fp32 and the drift, from one pass."""
        with torch.enable_grad():
            x = point.x.detach().requires_grad_()
            energy = self.live(point.replace(x=x))
            return at_least_fp32(energy.detach()), _gradient_in(x, energy)


def view(energy: Energy, precision: Precision = "fp32") -> FrozenView | CallableView:
    """Returns what sampling sees of an energy.

    Args:
        energy: a module (it is copied, folded and frozen) or any callable from `Point` to [B].
        precision: of the drift of a module; energies are always fp32, and a callable is asked as it is.

    Returns:
        An `EnergyView`; `refresh()` copies a module's weights again.

    Raises:
        CapabilityError: the precision is unknown.

    >>> import torch, ebmkit
    >>> seen = ebmkit.view(lambda point: point.x.square().sum(dim=1) / 2)
    >>> seen.drift(ebmkit.Point(x=torch.ones(1, 2)))
    tensor([[1., 1.]])
    """
    if precision not in ("fp32", "bf16"):
        raise CapabilityError(f"precision '{precision}' is unknown: fp32 or bf16.")
    return FrozenView(energy, precision) if isinstance(energy, nn.Module) else CallableView(energy)


def _gradient_in(x: Tensor, energy: Tensor) -> Tensor:
    """Returns ∂ΣE/∂x laid out in memory as x is: networks in channels-last hand back another layout."""
    (drift,) = torch.autograd.grad(energy.sum(), x)
    return drift if drift.stride() == x.stride() else torch.empty_like(x).copy_(drift)

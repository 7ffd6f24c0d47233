"""What sampling sees of an energy: a frozen copy, folded to plain weights, refreshed by copying after each step."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy, Loop, abilities_of, at_least_fp32, levels_of, values_of
from ebmkit.views.chunks import Rows
from ebmkit.views.freshness import Freshness
from ebmkit.views.frozen import Form, FrozenCopy, converge_parametrisations, iterate_parametrisations, parametrised
from ebmkit.views.passes import Engine, Passes

__all__ = [
    "CallableView",
    "FrozenCopy",
    "FrozenView",
    "converge_parametrisations",
    "iterate_parametrisations",
    "parametrised",
    "view",
]

Precision = Literal["fp32", "bf16"]
TOLERANCES = {"fp32": 1e-3, "bf16": 0.25}
"""How far a compiled gradient may be from the eager one, relative to its norm; a leaky ReLU can flip in bf16."""


class FrozenView:
    """The view of an energy that is a module: fp32 values, bit-equal to the live ones, and fast gradients.

    Attributes:
        live: the module, for the moves whose graph is kept.
        precision: of the gradient.
        passes: how gradients are computed: the engine, and the rows of a pass.
    """

    def __init__(self, live: nn.Module, precision: Precision = "fp32", engine: str = "eager", chunk: Rows = 0) -> None:
        self.live: Energy = live
        self.precision: Precision = precision
        self.passes = Passes(self._gradient_energy, engine, chunk, tolerance=TOLERANCES[precision])
        plain = not any(isinstance(module, nn.Conv2d) for module in live.modules())
        self._fast_form: Form = "exact" if plain else "fp32"
        self._gradient_form: Form = "bf16" if precision == "bf16" else self._fast_form
        self._copies: dict[Form, FrozenCopy] = {}
        self._freshness = Freshness(live)
        self._held: frozenset[Form] = frozenset()

    @property
    def constant(self) -> Energy:
        """The energy with its parameters held constant: gradients reach the point alone, in the view's precision."""
        self._follow()
        module: Energy = (
            self._copy("exact").module if self.precision == "fp32" else ConstantEnergy(self._copy("bf16").module)
        )
        return module

    def hold(self) -> None:
        """Copies the weights as they are now, and lets go of the live ones: `copy_from` alone brings others."""
        self._copy("exact")
        self.refresh()
        for frozen in self._copies.values():
            frozen.let_go()
        self._held, self._freshness = frozenset(self._copies), Freshness(nn.Module())

    def copy_from(self, held: Mapping[str, Tensor]) -> None:
        """Copies weights by their names in the live module, into a view that holds; `refresh` is to follow."""
        for form in self._held:
            self._copies[form].copy_from(held)

    def refresh(self) -> None:
        """Copies the live weights. It is done by itself where they changed since the last copy; see `Freshness`."""
        self._freshness.mark()
        for form, frozen in self._copies.items():
            if form not in self._held:
                frozen.refresh()

    def energy(self, point: Point) -> Tensor:
        """Returns the energies [B], nats, in fp32."""
        self._follow()
        return self.passes.value(partial(self._ask, form="exact", ability="energy"), point)

    def levels(self, point: Point, name: str) -> Tensor:
        """Returns the energies [B, L] of all values of a discrete coordinate given all else, nats, in fp32."""
        self._follow()
        return self.passes.value(partial(self._ask, form="exact", ability=levels_of(name)), point.without(name))

    def gradient(self, point: Point) -> Tensor:
        """Returns ∇ₓE [B, *event], nats per data unit, in the dtype and memory format of x."""
        self._follow()
        with _autocast(point.x.device.type, enabled=False):
            return self.passes.gradient(point)

    def energy_and_gradient(self, point: Point) -> tuple[Tensor, Tensor]:
        """Returns the energies [B] in fp32 and the gradient, from one pass where the gradient is fp32 too."""
        self._follow()
        with _autocast(point.x.device.type, enabled=False):
            energy, gradient = self.passes.energy_and_gradient(point)
        return (energy if self.precision == "fp32" else self._fast_energy(point)), gradient

    def _follow(self) -> None:
        """Copies the weights where they may have changed: nobody samples those of an earlier step unawares."""
        if self._freshness.is_stale():
            self.refresh()

    def _fast_energy(self, point: Point) -> Tensor:
        """Returns the energies in fp32 as a gradient in fp32 would give them, equal to `energy` within rounding."""
        return self.passes.value(partial(self._ask, form=self._fast_form, ability="energy"), point)

    @property
    def captures(self) -> bool:
        """Whether loops of moves are captured whole, by `moves`."""
        return self.passes.engine == "graph"

    def moves(self, key: Hashable, loop: Loop, point: Point, noise: Tensor) -> Tensor:
        """Returns x after the moves of a loop, captured as one graph; see `Passes.moves`."""
        self._follow()
        with _autocast(point.x.device.type, enabled=False):
            return self.passes.moves(key, loop, point, noise)

    def _gradient_energy(self, point: Point) -> Tensor:
        return self._ask(point, self._gradient_form, "energy")

    def _ask(self, point: Point, form: Form, ability: str) -> Tensor:
        module: Energy = self._copy(form).module
        if point.x.dtype in (torch.bfloat16, torch.float16):
            point = point.replace(x=point.x.float())
        with _autocast(point.x.device.type, enabled=form == "bf16"):
            return at_least_fp32(values_of(module, point, ability)[ability])

    def _copy(self, form: Form) -> FrozenCopy:
        assert isinstance(self.live, nn.Module)
        if form not in self._copies:
            self._copies[form] = FrozenCopy(self._copies["exact"].module if self._held else self.live, form)
        return self._copies[form]


class ConstantEnergy(nn.Module):
    """A bf16 copy as an energy of its own: it is asked under autocast, and its answers are in fp32 at least."""

    def __init__(self, copy: nn.Module) -> None:
        super().__init__()
        self.copy = copy
        self.abilities = abilities_of(copy)

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        """Returns the abilities by name."""
        energy: Energy = self.copy
        with _autocast(point.x.device.type, enabled=True):
            return {name: at_least_fp32(value) for name, value in values_of(energy, point, *abilities).items()}

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.evaluate(point, "energy")["energy"]


class CallableView:
    """The view of a plain callable: asked as it is.

    Attributes:
        live: the callable.
        constant: the same; what it closes over is its own business.
        precision: of the gradient: that of the callable itself.
        passes: how gradients are computed: the engine, and the rows of a pass.
    """

    precision: Precision = "fp32"

    def __init__(self, live: Energy, engine: str = "eager", chunk: Rows = 0) -> None:
        self.live = live
        self.constant = live
        self.passes = Passes(live, engine, chunk, tolerance=TOLERANCES["fp32"])

    def refresh(self) -> None:
        """Does nothing: there is no copy."""

    def energy(self, point: Point) -> Tensor:
        """Returns the energies [B], nats, in fp32."""
        return self.passes.value(lambda p: at_least_fp32(self.live(p)), point)

    def levels(self, point: Point, name: str) -> Tensor:
        """Returns the energies [B, L] of all values of a discrete coordinate given all else, nats, in fp32."""
        ability = levels_of(name)
        return self.passes.value(
            lambda p: at_least_fp32(values_of(self.live, p, ability)[ability]), point.without(name)
        )

    def gradient(self, point: Point) -> Tensor:
        """Returns ∇ₓE [B, *event], nats per data unit, in the dtype and memory format of x."""
        return self.passes.gradient(point)

    def energy_and_gradient(self, point: Point) -> tuple[Tensor, Tensor]:
        """Returns the energies [B] in fp32 and the gradient, from one pass."""
        return self.passes.energy_and_gradient(point)

    @property
    def captures(self) -> bool:
        """Whether loops of moves are captured whole, by `moves`."""
        return self.passes.engine == "graph"

    def moves(self, key: Hashable, loop: Loop, point: Point, noise: Tensor) -> Tensor:
        """Returns x after the moves of a loop, captured as one graph; see `Passes.moves`."""
        return self.passes.moves(key, loop, point, noise)


def view(
    energy: Energy, precision: Precision = "fp32", *, engine: Engine = "eager", chunk: Rows = 0
) -> FrozenView | CallableView:
    """Returns what sampling sees of an energy.

    Args:
        energy: a module (it is copied, folded and frozen) or any callable from `Point` to [B].
        precision: of the gradient of a module; energies are always fp32, and a callable is asked as it is.
        engine: "eager"; "compile", value and gradient as one compiled function; "graph", on CUDA, captured.
        chunk: rows a pass, 0 for all at once. "auto" measures at the first batch of 8,192 rows or more, and keeps what
            it found as `passes.chunk`. The random stream does not depend on it, values only by rounding.

    Returns:
        An `EnergyView`. A module's weights are copied again by themselves when an optimiser moved them.

    Raises:
        CapabilityError: the precision or engine is unknown, the engine cannot run here, or the chunk is no count.

    >>> import torch, ebmkit
    >>> seen = ebmkit.view(lambda point: point.x.square().sum(dim=1) / 2)
    >>> seen.gradient(ebmkit.Point(x=torch.ones(1, 2)))
    tensor([[1., 1.]])
    """
    if precision not in ("fp32", "bf16"):
        raise CapabilityError(f"precision '{precision}' is unknown: fp32 or bf16.")
    if isinstance(energy, nn.Module):
        return FrozenView(energy, precision, engine, chunk)
    return CallableView(energy, engine, chunk)


def _autocast(device: str, *, enabled: bool) -> AbstractContextManager[object]:
    """Returns the context that casts to bf16, or does not, whatever the caller's does."""
    if not enabled and not torch.is_autocast_enabled(device):
        return nullcontext()
    return torch.autocast(device, torch.bfloat16, enabled=enabled, cache_enabled=False)

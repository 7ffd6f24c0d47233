"""What sampling sees of an energy: a frozen copy, folded to plain weights, refreshed by copying after each step.

The live module is never touched: no `requires_grad_`, no `remove_parametrizations`, no change of its mode.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols import Energy, evaluate

Precision = Literal["fp32", "bf16"]


class FrozenCopy:
    """A module's copy with constant, plain weights of one precision.

    Parametrised tensors (spectral norm, weight standardisation) become the tensors they compute, by the live module's own
    parametrisations in evaluation mode, which share its parameters and buffers, so that nothing iterates here.
    """

    def __init__(self, live: nn.Module, dtype: torch.dtype | None) -> None:
        shared = {id(t): t for t in (*live.parameters(), *live.buffers())}
        twin = copy.deepcopy(live, dict(shared)).eval()
        self._folds: list[tuple[nn.Module, str, nn.Module]] = []
        for module in list(twin.modules()):
            self._folds += _fold(module)
        folded = {(id(owner), name) for owner, name, _ in self._folds}
        sources = _tensors(twin)
        for owner, name, source in sources:
            _place(owner, name, _as(source, dtype))
        plain = [entry for entry in sources if (id(entry[0]), entry[1]) not in folded]
        self._pairs = [(getattr(owner, name), source) for owner, name, source in plain]
        self._targets = [(getattr(owner, name), computed) for owner, name, computed in self._folds]
        self.module = twin
        self.refresh()

    @torch.no_grad()
    def refresh(self) -> None:
        """Copies the live weights, folding what is parametrised."""
        if self._pairs:
            targets, sources = zip(*self._pairs, strict=True)
            torch._foreach_copy_(list(targets), list(sources))
        for target, parametrisations in self._targets:
            target.copy_(parametrisations())


class FrozenView:
    """The view of an energy that is a module: fp32 values for ratios, drifts perhaps in bf16 and channels-last."""

    def __init__(self, live: nn.Module, precision: Precision = "fp32") -> None:
        self.live: Energy = live
        self.precision = precision
        self._dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
        self._copies: dict[torch.dtype, FrozenCopy] = {}

    def refresh(self) -> None:
        """Copies the live weights; call it after each optimiser step."""
        for frozen in self._copies.values():
            frozen.refresh()

    def energy(self, point: Point) -> Tensor:
        with torch.no_grad():
            return _wide(self._ask(point, torch.float32, "energy"))

    def levels(self, point: Point, name: str = "level") -> Tensor:
        with torch.no_grad():
            return _wide(self._ask(point.without(name), torch.float32, "levels"))

    def drift(self, point: Point) -> Tensor:
        return self._gradient(point, self._dtype)[1]

    def energy_and_drift(self, point: Point) -> tuple[Tensor, Tensor]:
        if self._dtype is torch.float32:
            return self._gradient(point, torch.float32)
        return self.energy(point), self.drift(point)

    def _gradient(self, point: Point, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = point.x.detach().requires_grad_()
            energy = self._ask(point.replace(x=x), dtype, "energy")
            (drift,) = torch.autograd.grad(energy.sum(), x)
        return _wide(energy.detach()), drift

    def _ask(self, point: Point, dtype: torch.dtype, ability: str) -> Tensor:
        if dtype not in self._copies:
            assert isinstance(self.live, nn.Module)
            self._copies[dtype] = FrozenCopy(self.live, dtype)
        module: Any = self._copies[dtype].module
        x = point.x if point.x.dtype == torch.float64 else point.x.to(dtype)
        if x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        return evaluate(module, point.replace(x=x), ability)[ability]


class CallableView:
    """The view of a plain callable: asked as it is."""

    def __init__(self, live: Energy) -> None:
        self.live = live

    def refresh(self) -> None:
        """Does nothing: there is no copy."""

    def energy(self, point: Point) -> Tensor:
        with torch.no_grad():
            return _wide(self.live(point))

    def levels(self, point: Point, name: str = "level") -> Tensor:
        with torch.no_grad():
            return _wide(evaluate(self.live, point.without(name), "levels")["levels"])

    def drift(self, point: Point) -> Tensor:
        return self.energy_and_drift(point)[1]

    def energy_and_drift(self, point: Point) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = point.x.detach().requires_grad_()
            energy = self.live(point.replace(x=x))
            (drift,) = torch.autograd.grad(energy.sum(), x)
        return _wide(energy.detach()), drift


def view(energy: Energy, precision: Precision = "fp32") -> FrozenView | CallableView:
    """Returns what sampling sees of an energy.

    Args:
        energy: a module (it is copied, folded and frozen) or any callable from `Point` to [B].
        precision: of the drift; energies are always fp32.

    Returns:
        An `EnergyView`; `refresh()` copies a module's weights again.

    >>> import torch, ebmkit
    >>> seen = ebmkit.view(lambda point: point.x.square().sum(dim=1) / 2)
    >>> seen.drift(ebmkit.Point(x=torch.ones(1, 2)))
    tensor([[1., 1.]])
    """
    if precision not in ("fp32", "bf16"):
        raise CapabilityError(f"precision '{precision}' is unknown: fp32 or bf16.")
    return FrozenView(energy, precision) if isinstance(energy, nn.Module) else CallableView(energy)


def parametrised(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    """Yields (module, tensor name, parametrisations) of every parametrised tensor."""
    for owner in module.modules():
        lists = owner._modules.get("parametrizations")
        if isinstance(lists, nn.ModuleDict):
            for name, computed in lists.items():
                yield owner, name, computed


def iterate_parametrisations(module: nn.Module) -> None:
    """Computes every parametrised tensor once; inside `parametrize.cached()` later uses share it, power iteration included."""
    for owner, name, _ in parametrised(module):
        getattr(owner, name)


def _fold(module: nn.Module) -> list[tuple[nn.Module, str, nn.Module]]:
    """Turns a copied module back into its plain class; returns (module, tensor name, what computes it)."""
    lists = module._modules.pop("parametrizations", None)
    if not isinstance(lists, nn.ModuleDict):
        return []
    module.__class__ = type(module).__mro__[1]  # of this copy alone: the live module keeps its own class
    with torch.no_grad():
        for name, computed in lists.items():
            module.register_parameter(name, nn.Parameter(computed(), requires_grad=False))
    return [(module, name, computed) for name, computed in lists.items()]


def _tensors(twin: nn.Module) -> list[tuple[nn.Module, str, Tensor]]:
    named = [(m, n, t) for m in twin.modules() for n, t in (*m._parameters.items(), *m._buffers.items())]
    return [(owner, name, tensor) for owner, name, tensor in named if tensor is not None]


def _as(source: Tensor, dtype: torch.dtype | None) -> Tensor:
    floating = source.is_floating_point() and source.dtype != torch.float64
    copied = source.detach().clone().to(dtype if floating else source.dtype)
    return copied.contiguous(memory_format=torch.channels_last) if copied.ndim == 4 else copied


def _place(owner: nn.Module, name: str, tensor: Tensor) -> None:
    if name in owner._buffers:
        owner._buffers[name] = tensor
    else:
        owner._parameters[name] = nn.Parameter(tensor, requires_grad=False)


def _wide(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()

"""An energy whose weights are split over the processes of a run: torch's `fully_shard`, fitted to a training step.

Between steps each process holds its part of every weight, gradient, optimiser state and average. Chains move on a
copy that is whole in each process and joined anew once a step: chains of different processes need not ask equally
often. The losses ask the live energy, alike in all processes, and there layers are joined when they are asked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ebmkit.errors import CapabilityError
from ebmkit.processes import World
from ebmkit.training.split import is_split, own_part, split_like
from ebmkit.views.frozen import parametrised
from ebmkit.views.view import FrozenView

LARGEST, LEAST = 1 / 4, 1 / 100
"""Share of the weights above which a module is taken apart into those inside it, and below which it is left whole."""


class Sharding:
    """Splits an energy, in place, and joins it where a step needs it whole.

    Layer by layer, torch's hooks join the weights of a layer for its passes and share its gradient out. That cannot be
    where an objective differentiates twice, and reads weights again after the first derivative; where a spectral norm
    computes what all passes of a step share; and where an energy uses weights outside of the layer that holds them,
    which a trial tells. There all weights are joined from the start of a step to its gradients.

    Args:
        energy: its weights are whole, and the same in all processes.
        view: of it; from here on `refresh` alone brings it other weights.
        world: the processes.
        device: of the weights.
        ask: returns a scalar of all that is asked of the energy, the same in all processes.
        derivatives: how often in a row objectives differentiate the energy.

    Attributes:
        why_whole: why all weights are joined while the losses are computed; "" where layers are, one by one.

    Raises:
        CapabilityError: torch cannot split it.
    """

    def __init__(
        self,
        energy: nn.Module,
        view: FrozenView,
        world: World,
        device: torch.device,
        ask: Callable[[], Tensor],
        *,
        derivatives: int = 1,
    ) -> None:
        self.energy, self.view, self.world = energy, view, world
        self.why_whole = _why_whole(energy, derivatives)
        inner = {} if self.why_whole else units(energy, called(energy, ask))
        wanted = {} if self.why_whole else _gradients(energy, ask)
        self._units: list[tuple[frozenset[str], Any]] = [*_with_names(energy, inner)]
        view.hold()
        try:
            self._split(device)
        except (ValueError, NotImplementedError, RuntimeError, AssertionError) as error:
            raise CapabilityError(f"run.fully_shard: torch cannot split this energy: {_first_line(error)}") from error
        self._parameters = dict(energy.named_parameters())
        if self.why_whole or not self._is_right(ask, wanted):
            self._keep_whole()

    def _split(self, device: torch.device) -> None:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

        # torch warns of views that an energy might write into; the trial tells whether gradients are right
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module")
        mesh = init_device_mesh(device.type, (self.world.size,))
        left = {p for p in self.energy.parameters() if not p.ndim}  # torch splits no scalar
        for _, unit in self._units:
            fully_shard(unit, mesh=mesh, reshard_after_forward=unit is not self.energy, ignored_params=left)
        if hasattr(self.energy, "evaluate"):
            register_fsdp_forward_method(self.energy, "evaluate")

    def _keep_whole(self) -> None:
        """Makes torch's hooks do nothing: weights are joined and gradients shared out once a step."""
        for _, unit in self._units:
            unit.set_reshard_after_forward(False, recurse=False)
            unit.set_reshard_after_backward(False, recurse=False)
            unit.set_requires_gradient_sync(False, recurse=False)

    def _is_right(self, ask: Callable[[], Tensor], wanted: Mapping[str, Tensor]) -> bool:
        """Tries the hooks: whether gradients are what they were before; says in `why_whole` what is wrong."""
        try:
            ask().backward()  # type: ignore[no-untyped-call]
            self.reshard()
            found = {name: p.grad for name, p in self._parameters.items() if is_split(p) and p.grad is not None}
            right = all(
                name in wanted
                and torch.allclose(own_part(g), own_part(split_like(wanted[name], g)), rtol=1e-2, atol=1e-5)
                for name, g in found.items()
            )
            right = right and {name for name in wanted if is_split(self._parameters[name])} == found.keys()
            self.why_whole = "" if right else "layer by layer, a trial gave other gradients"
        except Exception as error:  # an energy may fail in any way where it meets weights that are split
            self.why_whole = f"layer by layer, a trial failed: {_first_line(error)}"
            self.reshard()
        self.energy.zero_grad(set_to_none=True)
        (wrong,) = self.world.any(bool(self.why_whole))
        self.why_whole = self.why_whole or ("layer by layer, a trial failed in another process" if wrong else "")
        return not wrong

    def __str__(self) -> str:
        how = f"whole while the losses are computed: {self.why_whole}" if self.why_whole else "layer by layer"
        return f"weights are split over {self.world.size} processes, and joined {how}"

    def refresh(self) -> None:
        """Joins the weights into the copy that chains move on, unit by unit; all processes call it together."""
        for names, unit in self._units:
            unit.unshard()
            self.view.copy_from(_held(self.energy, names))
            if not self.why_whole:
                unit.reshard()
        self.view.refresh()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Within it, a step may be made; after it the weights are split again."""
        try:
            if self.why_whole:
                for _, unit in self._units:
                    unit.unshard()
            yield
        finally:
            self.reshard()

    def reshard(self) -> None:
        """Leaves each process its part of the weights alone."""
        for _, unit in self._units:
            unit.reshard()

    @torch.no_grad()
    def share_gradients(self) -> None:
        """Gives each process the mean gradient of its part of the weights, after a backward pass."""
        if not self.why_whole:  # torch's hooks have
            self.reshard()
            return
        joined = dict(self.energy.named_parameters())
        found = {name: p.grad for name, p in joined.items() if is_split(self._parameters[name])}
        has = torch.tensor([float(gradient is not None) for gradient in found.values()])
        anywhere = self.world.total(has).tolist()
        for (name, gradient), is_there in zip(found.items(), anywhere, strict=True):
            if is_there:
                full = torch.zeros_like(joined[name]) if gradient is None else gradient
                joined[name].grad = None
                self._parameters[name].grad = self._mean_part(full, self._parameters[name])
        self.reshard()

    def _mean_part(self, gradient: Tensor, of: Any) -> Tensor:
        """Returns this process's part of the mean over processes of a gradient."""
        from torch.distributed.tensor import DTensor, Partial

        summed = DTensor.from_local(gradient.contiguous(), of.device_mesh, [Partial()], run_check=False)
        mine: Tensor = summed.redistribute(placements=of.placements) / self.world.size
        return mine


def _why_whole(energy: nn.Module, derivatives: int) -> str:
    if derivatives > 1:
        return f"an objective differentiates the energy {derivatives} times in a row"
    return next((f"{name} of {type(owner).__name__} is parametrised" for owner, name, _ in parametrised(energy)), "")


def _gradients(energy: nn.Module, ask: Callable[[], Tensor]) -> dict[str, Tensor]:
    """Returns the gradients of a scalar, by name of the parameter, on the CPU."""
    named = {name: p for name, p in energy.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(ask(), list(named.values()), allow_unused=True)
    return {name: g.cpu() for name, g in zip(named, found, strict=True) if g is not None}


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def called(energy: nn.Module, ask: Callable[[], object]) -> set[nn.Module]:
    """Returns the modules of an energy that are called, as `module(x)`, while it is asked."""
    found: set[nn.Module] = set()

    def note(module: nn.Module, args: object) -> None:
        found.add(module)

    hooks = [module.register_forward_pre_hook(note) for module in energy.modules()]
    try:
        ask()
    finally:
        for hook in hooks:
            hook.remove()
    return found


def units(energy: nn.Module, asked: set[nn.Module]) -> dict[str, nn.Module]:
    """Returns the modules inside an energy, by name, whose weights are joined for themselves.

    Each is called as a module, holds at least `LEAST` of the weights and, unless nothing inside it could be a unit, at
    most `LARGEST`. Where modules share a parameter there are none.

    >>> net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(5)))
    >>> list(units(net, set(net.modules())))
    ['0', '1', '2', '3', '4']
    """
    if len(list(energy.parameters())) < len(list(energy.named_parameters(remove_duplicate=False))):
        return {}
    return _units_in(energy, asked, _n_weights(energy))


def _units_in(module: nn.Module, asked: set[nn.Module], total: int, prefix: str = "") -> dict[str, nn.Module]:
    found: dict[str, nn.Module] = {}
    for name, child in module.named_children():
        n = _n_weights(child)
        if n < LEAST * total or not n:
            continue
        inside = {} if child in asked and n <= LARGEST * total else _units_in(child, asked, total, f"{prefix}{name}.")
        found |= inside or ({f"{prefix}{name}": child} if child in asked else {})
    return found


def _n_weights(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _with_names(energy: nn.Module, inner: Mapping[str, nn.Module]) -> Iterator[tuple[frozenset[str], nn.Module]]:
    """Yields each unit with the names of its parameters and buffers, the whole energy with what is left, last."""
    left = {name for name, _ in (*_parameters(energy), *energy.named_buffers(remove_duplicate=False))}
    for prefix, unit in inner.items():
        own = frozenset(name for name in left if name.startswith(f"{prefix}."))
        left -= own
        yield own, unit
    yield frozenset(left), energy


def _held(energy: nn.Module, names: frozenset[str]) -> dict[str, Tensor]:
    """Returns the tensors of some names as a module holds them now."""
    both = (*_parameters(energy), *energy.named_buffers(remove_duplicate=False))
    return {name: tensor for name, tensor in both if name in names}


def _parameters(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return module.named_parameters(remove_duplicate=False)

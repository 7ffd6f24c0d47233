"""A module's copy with constant, plain weights, and how parametrised tensors are computed.

The live module is never touched: no `requires_grad_`, no `remove_parametrizations`, no change of its mode.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from ebmkit.errors import CapabilityError

Place = tuple[nn.Module, str]
Form = Literal["exact", "fp32", "bf16"]


class FrozenCopy:
    """A module's copy in evaluation mode, with constant, plain weights.

    Parametrised tensors (spectral norm, weight standardisation) become the tensors they compute, by the live module's
    own parametrisations in evaluation mode, which share its parameters and buffers, so that nothing iterates here.
    Tensors that are neither parameters nor buffers, and modules hidden in plain functions, are not refreshed.

    Forms: "exact" gives the live module's values bit for bit. In "fp32" convolutions are channels-last: up to 1.7 times
    as fast on a CPU, equal within rounding. In "bf16" the weights of convolutions and linear layers are rounded once as
    well; everything else stays in fp32, and the copy is to run under autocast. So x, its normalisation and the head
    lose nothing, and a module that was never written for bf16 works; it costs no more than running everything in bf16.

    Raises:
        CapabilityError: the module cannot be copied.
    """

    def __init__(self, live: nn.Module, form: Form = "exact") -> None:
        self._live = tuple((name, tensor, holder) for holder, name, tensor in holders(live))
        self.module = _copied(live)
        paths = {id(module): f"{path}." if path else "" for path, module in self.module.named_modules()}
        folds = {(owner, name): computed for owner, name, computed in parametrised(self.module)}
        for owner in {owner: None for owner, _ in folds}:
            _unparametrise(owner)
        sources = _tensors(self.module)
        weights = _weights(self.module)
        for (owner, name), source in [*sources, *((place, computed()) for place, computed in folds.items())]:
            _place(owner, name, _constant(source, form if (owner, name) in weights else "exact"))
        self._pairs = [(getattr(owner, name), source) for (owner, name), source in sources]
        self._folds = [(getattr(owner, name), computed) for (owner, name), computed in folds.items()]
        self._named = {f"{paths[id(owner)]}{name}": getattr(owner, name) for (owner, name), _ in sources}
        self._prefixes = [paths[id(computed)] for computed in folds.values()]

    @torch.no_grad()
    def refresh(self) -> None:
        """Copies the live weights, folding what is parametrised.

        Raises:
            CapabilityError: the module holds another tensor object than when it was copied.
        """
        for name, tensor, holder in self._live:
            if holder.get(name) is not tensor:
                raise CapabilityError(
                    f"The energy's '{name}' is another tensor than when its view was made, so the view cannot follow "
                    "it. Change weights in place (load_state_dict without assign), or make a new view."
                )
        if self._pairs:
            targets, sources = zip(*self._pairs, strict=True)
            torch._foreach_copy_(list(targets), list(sources))
        for target, computed in self._folds:
            target.copy_(computed())

    def let_go(self) -> None:
        """Holds no weight of the live module any more; from here on `copy_from` brings them."""
        self._live, self._pairs = (), []
        for part in {part for _, computed in self._folds for part in computed.modules()}:
            for name, tensor in part._parameters.items():
                if tensor is not None:
                    part._parameters[name] = nn.Parameter(tensor.to("meta"), requires_grad=tensor.requires_grad)

    @torch.no_grad()
    def copy_from(self, held: Mapping[str, Tensor]) -> None:
        """Copies weights by the names that they have in the live module, which holds other tensors by now.

        Args:
            held: some of its parameters and buffers; of what is parametrised all, or none.
        """
        for name, tensor in held.items():
            if name in self._named:
                self._named[name].copy_(tensor)
        for (target, computed), prefix in zip(self._folds, self._prefixes, strict=True):
            names = [name for name, _ in computed.named_parameters()]
            if names and all(f"{prefix}{name}" in held for name in names):
                own = {name: held[f"{prefix}{name}"] for name in names}
                found: Tensor = torch.func.functional_call(computed, own, ())
                target.copy_(found)


def parametrised(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    """Yields (module, tensor name, what computes it) of every parametrised tensor."""
    for owner in module.modules():
        lists = owner._modules.get("parametrizations")
        if isinstance(lists, nn.ModuleDict):
            for name, computed in lists.items():
                yield owner, name, computed


@torch.no_grad()
def converge_parametrisations(module: nn.Module, iterations: int = 20) -> None:
    """Lets power iterations converge to loaded or averaged weights, and puts the module in evaluation mode."""
    module.train()
    for _ in range(iterations):
        iterate_parametrisations(module)
    module.eval()


def iterate_parametrisations(module: nn.Module) -> None:
    """Computes every parametrised tensor once.

    Inside `parametrize.cached()` all later uses share it, so that spectral norm makes one power iteration a step.
    """
    for owner, name, _ in parametrised(module):
        getattr(owner, name)


def _copied(live: nn.Module) -> nn.Module:
    """Returns a copy in evaluation mode whose tensors are still those of the live module."""
    shared = {id(t): t for t in (*live.parameters(), *live.buffers())}
    try:
        return copy.deepcopy(live, dict(shared)).eval()
    except (RuntimeError, TypeError) as error:
        raise CapabilityError(
            f"{type(live).__name__} cannot be copied for sampling: {str(error).splitlines()[0]} Keep tensors as "
            "parameters or buffers, and use torch.nn.utils.parametrizations, not the older spectral_norm, weight_norm."
        ) from error


def _unparametrise(module: nn.Module) -> None:
    """Turns a copied module back into its plain class; the live module keeps its own."""
    del module._modules["parametrizations"]
    module.__class__ = type(module).__mro__[1]


def holders(module: nn.Module) -> Iterator[tuple[dict[str, Tensor | None], str, Tensor]]:
    """Yields where a module holds each of its tensors."""
    for owner in module.modules():
        for holder in (owner._parameters, owner._buffers):
            for name, tensor in holder.items():
                if tensor is not None:
                    yield holder, name, tensor  # type: ignore[misc]


def _tensors(module: nn.Module) -> list[tuple[Place, Tensor]]:
    named = [((m, n), t) for m in module.modules() for n, t in (*m._parameters.items(), *m._buffers.items())]
    return [(place, tensor) for place, tensor in named if tensor is not None]


def _weights(module: nn.Module) -> frozenset[Place]:
    """Returns the weights that autocast would round at every call."""
    layers = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
    return frozenset((m, "weight") for m in module.modules() if isinstance(m, layers))


def _constant(source: Tensor, form: Form) -> Tensor:
    """Returns a copy in fp32 (float64 stays), or as a form wants its weights.

    The layout is written into the strides even where there is one input channel: `contiguous` would leave them, and a
    convolution tells the layout by its strides.
    """
    half = source.dtype in (torch.bfloat16, torch.float16)
    dtype = torch.float32 if half else source.dtype
    if form == "bf16" and dtype != torch.float64:
        dtype = torch.bfloat16
    layout = torch.channels_last if form != "exact" and source.ndim == 4 else torch.preserve_format
    return torch.empty_like(source, dtype=dtype, memory_format=layout, requires_grad=False).copy_(source.detach())


def _place(owner: nn.Module, name: str, tensor: Tensor) -> None:
    if name in owner._buffers:
        owner._buffers[name] = tensor
    else:
        owner._parameters[name] = nn.Parameter(tensor, requires_grad=False)

"""Whether a module's weights may have changed since they were copied: told without reading a weight."""

from __future__ import annotations

from typing import NamedTuple
from weakref import ref

from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from ebmkit.views.frozen import holders, parametrised


class Mark(NamedTuple):
    """What is remembered of a parameter or buffer: its memory, how often it and its gradient were written, and which.

    The memory is kept alive, so that no other weights can come to lie in it.
    """

    memory: Tensor
    address: int
    version: int
    gradient: ref[Tensor] | None
    gradient_version: int


class Freshness:
    """Looks whether weights may have changed since `mark`.

    A write in place counts up a parameter's version. Fused optimisers and writes through `.data` do not; but they use a
    gradient, and that is another one than before. So weights count as changed where a version, or a gradient, is; and
    where they lie in other memory (`module.to`, `vector_to_parameters`), or the module holds another tensor. Buffers
    count as weights do, as running means are part of an energy; but not those of parametrisations: every pass of
    spectral norm moves its vectors on, and the chains of a step see one energy.
    A write into memory through `.data` or numpy that no backward pass came before goes unseen, and so does a plain
    attribute: refresh the view after it.
    """

    def __init__(self, module: nn.Module) -> None:
        iterated = {id(part._buffers) for _, _, computed in parametrised(module) for part in computed.modules()}
        self._places = tuple(place for place in holders(module) if id(place[0]) not in iterated)
        self.mark()

    def mark(self) -> None:
        """Remembers the weights as they are."""
        self._marks = tuple(_mark(tensor) for _, _, tensor in self._places)

    def is_stale(self) -> bool:
        """Returns whether weights may have changed since the last mark."""
        return any(
            holder.get(name) is not tensor or _changed(tensor, mark)
            for (holder, name, tensor), mark in zip(self._places, self._marks, strict=True)
        )


def _mark(tensor: Tensor) -> Mark:
    memory, gradient = tensor.detach(), tensor.grad if tensor.is_leaf else None
    if gradient is None:
        return Mark(memory, _address(tensor), _version(tensor), None, 0)
    return Mark(memory, _address(tensor), _version(tensor), ref(gradient), _version(gradient))


def _changed(tensor: Tensor, mark: Mark) -> bool:
    if _version(tensor) != mark.version or _address(tensor) != mark.address:
        return True
    gradient = tensor.grad if tensor.is_leaf else None
    if gradient is None or mark.gradient is None:
        return gradient is not None or mark.gradient is not None
    return mark.gradient() is not gradient or _version(gradient) != mark.gradient_version


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else int(tensor._version)


def _address(tensor: Tensor) -> int:
    return 0 if isinstance(tensor, FakeTensor) else tensor.data_ptr()

"""Whether a module's weights may have changed since they were copied: told from counters, without reading a weight."""

from __future__ import annotations

from typing import NamedTuple
from weakref import ref

from torch import Tensor, nn


class Mark(NamedTuple):
    """What is remembered of a parameter: how often it and its gradient were written in place, and which gradient."""

    version: int
    gradient: ref[Tensor] | None
    gradient_version: int


class Freshness:
    """Looks whether weights may have changed since `mark`.

    A write in place counts up a parameter's version. Fused optimisers and writes through `.data` do not; but they use a
    gradient, and that is another one than before. So weights count as changed where a version, or a gradient, is.
    A write through `.data` that no backward pass came before goes unseen: refresh the view after it.
    """

    def __init__(self, module: nn.Module) -> None:
        self._parameters = tuple(module.parameters())
        self.mark()

    def mark(self) -> None:
        """Remembers the weights as they are."""
        self._marks = tuple(map(_mark, self._parameters))

    def is_stale(self) -> bool:
        """Returns whether weights may have changed since the last mark."""
        return any(_changed(p, mark) for p, mark in zip(self._parameters, self._marks, strict=True))


def _mark(parameter: nn.Parameter) -> Mark:
    gradient = parameter.grad
    if gradient is None:
        return Mark(_version(parameter), None, 0)
    return Mark(_version(parameter), ref(gradient), _version(gradient))


def _changed(parameter: nn.Parameter, mark: Mark) -> bool:
    if _version(parameter) != mark.version:
        return True
    gradient = parameter.grad
    if gradient is None or mark.gradient is None:
        return gradient is not None or mark.gradient is not None
    return mark.gradient() is not gradient or _version(gradient) != mark.gradient_version


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else int(tensor._version)

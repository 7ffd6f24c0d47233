"""Functions of tensors that are made anew for every shape, and kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable

from torch import Tensor

Function = Callable[..., tuple[Tensor, ...]]
Make = Callable[[Function, tuple[Tensor, ...]], Function]

_log = logging.getLogger(__name__)


class Specialised:
    """Runs functions by versions made for the shapes, strides, types and devices of their tensors.

    Making one is dear, so that at most `limit` are made. What comes later runs as it is: shapes that change all the
    time would otherwise cost a compilation each.

    Attributes:
        limit: versions that are kept.
    """

    def __init__(self, make: Make, limit: int = 4) -> None:
        self.limit = limit
        self._make = make
        self._made: dict[Hashable, Function] = {}
        self._told = False

    def __call__(self, key: Hashable, function: Function, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Returns function(*tensors) by the version made for them; equal keys stand for equal functions."""
        version = (key, *((t.shape, t.stride(), t.dtype, t.device) for t in tensors))
        made = self._made.get(version)
        if made is None:
            if len(self._made) >= self.limit:
                self._tell(tensors)
                return function(*tensors)
            made = self._made[version] = self._make(function, tensors)
        return made(*tensors)

    def _tell(self, tensors: tuple[Tensor, ...]) -> None:
        if not self._told:
            shape = tuple(tensors[0].shape)
            _log.warning("%d shapes are made already: %s and others run eagerly", self.limit, shape)
        self._told = True

"""The state of a batch of chains, and the batch of data it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from ebmkit.errors import DataError

XValues = Literal["real", "binary", "one-hot"]
"""How x is held: real-valued, or of discrete x two values an entry, or a single 1 along the last axis."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Point:
    """A batch of B configurations; row b of every tensor belongs to chain b. Points are equal when they are identical.

    Attributes:
        x: [B, *event], data units (images: in the value range of the data set).
        aux: one [B, ...] entry for each coordinate beyond x, empty by default. Read-only.

    Raises:
        DataError: an entry has another number of rows than x.

    >>> import torch
    >>> point = Point(x=torch.zeros(2, 3), aux={"label": torch.tensor([1, 7])})
    >>> len(point), point.aux["label"].tolist()
    (2, [1, 7])
    """

    x: Tensor
    aux: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.x.ndim == 0:
            raise DataError("A point holds a batch: x needs shape [B, *event], found a scalar.")
        for name, value in self.aux.items():
            if value.ndim == 0 or value.shape[0] != self.x.shape[0]:
                raise DataError(
                    f"Coordinate '{name}' has shape {tuple(value.shape)}, but x has {self.x.shape[0]} rows."
                )
        object.__setattr__(self, "aux", MappingProxyType(dict(self.aux)))

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def __reduce__(self) -> tuple[Callable[..., Point], tuple[Tensor, dict[str, Tensor]]]:
        return _point, (self.x, dict(self.aux))

    def __deepcopy__(self, memo: dict[int, object]) -> Point:
        return self.map(lambda tensor: deepcopy(tensor, memo))

    def map(self, f: Callable[[Tensor], Tensor]) -> Point:
        """Returns the point with f applied to every tensor (`lambda t: t[rows]`, `torch.detach`)."""
        return Point(x=f(self.x), aux={name: f(value) for name, value in self.aux.items()})

    def replace(self, *, x: Tensor | None = None, aux: Mapping[str, Tensor] | None = None) -> Point:
        """Returns the point with another x, another set of coordinates, or both."""
        return Point(x=self.x if x is None else x, aux=self.aux if aux is None else aux)

    def with_aux(self, **entries: Tensor) -> Point:
        """Returns the point with these coordinates added or replaced."""
        return Point(x=self.x, aux={**self.aux, **entries})

    def without(self, *names: str) -> Point:
        """Returns the point without these coordinates."""
        return Point(x=self.x, aux={k: v for k, v in self.aux.items() if k not in names})

    def to(self, device: torch.device | str) -> Point:
        """Returns the point on a device."""
        return self.map(lambda tensor: tensor.to(device))


def _point(x: Tensor, aux: Mapping[str, Tensor]) -> Point:
    """Returns a point that was saved."""
    return Point(x=x, aux=aux)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Batch:
    """Clean, un-augmented training data.

    Attributes:
        x: [B, *event], data units, dequantised, in the value range of the data set.
        y: [B] class index (int64), or None where the set has no labels.

    Raises:
        DataError: x and y differ in their rows.
    """

    x: Tensor
    y: Tensor | None = None

    def __post_init__(self) -> None:
        if self.x.ndim == 0 or (self.y is not None and self.y.shape != self.x.shape[:1]):
            labels = "none" if self.y is None else tuple(self.y.shape)
            raise DataError(f"A batch needs x [B, *event] and labels [B], found {tuple(self.x.shape)} and {labels}.")

    def __len__(self) -> int:
        return int(self.x.shape[0])


def concatenate(first: Point, second: Point) -> Point:
    """Returns both points as one with the coordinates of the first, rows of `first` before rows of `second`.

    Raises:
        DataError: the second lacks one of them.
    """
    missing = sorted(first.aux.keys() - second.aux.keys())
    if missing:
        raise DataError(f"Two points cannot be joined: the second has no coordinate {', '.join(map(repr, missing))}.")
    aux = {name: torch.cat([first.aux[name], second.aux[name]]) for name in first.aux}
    return Point(x=torch.cat([first.x, second.x]), aux=aux)

"""Which draws of chains are kept, where, and how many bytes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ebmkit.errors import RecipeError
from ebmkit.point import Point

Emit = Callable[[Point], Tensor]
ENERGY = "ebmkit.energy"  # how a draw's energies are kept beside its coordinates; no coordinate can be called that


class Room(Protocol):
    """A place for draws."""

    def put(self, draw: Point) -> None:
        """Keeps one draw of the chains, or some of its rows."""
        ...

    def all(self) -> Point:
        """Returns what was kept."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Keep:
    """Which draws are kept.

    Attributes:
        emit: point → [B] bool, the rows of a draw to keep; None for all of them.
        on: device that keeps them.
        max_bytes: more than this is refused.
        thin: every `thin`-th transition is a draw.
    """

    emit: Emit | None = None
    on: torch.device | str = "cpu"
    max_bytes: int = 2**32
    thin: int = 1

    def room(self, first: Point, transitions: int) -> Room:
        """Returns the place for the draws of some transitions of chains, of which one draw is shown.

        Raises:
            RecipeError: there are more draws than may be kept; with `emit` this is seen later, when one is put.
        """
        if self.emit is not None:
            return _Emitted(self.emit, self.on, self.max_bytes)
        return _Every(first, transitions // self.thin, self.on, self.max_bytes)


def record(point: Point, energies: Tensor) -> Point:
    """Returns a draw as it is kept: with its energies [B], nats."""
    return point.with_aux(**{ENERGY: energies})


class _Every:
    """All draws of all chains, in memory that is taken at once."""

    def __init__(self, first: Point, n_draws: int, device: torch.device | str, max_bytes: int) -> None:
        needed = n_draws * _n_bytes(first)
        if needed > max_bytes:
            raise RecipeError(
                f"{n_draws:,} draws of {len(first):,} chains take {needed:,} bytes, but max_bytes is {max_bytes:,}: "
                f"keep every {-(-needed // max_bytes)}th of them by a larger thin, or raise max_bytes."
            )
        self._room = first.map(lambda tensor: torch.empty((n_draws, *tensor.shape), dtype=tensor.dtype, device=device))
        self._n = 0

    def put(self, draw: Point) -> None:
        """Keeps one draw of each chain."""
        self._room.x[self._n].copy_(draw.x)
        for name, room in self._room.aux.items():
            room[self._n].copy_(draw.aux[name])
        self._n += 1

    def all(self) -> Point:
        """Returns x [draws, B, *event] and each coordinate [draws, B, ...]."""
        return self._room


class _Emitted:
    """The rows that `emit` chose, as they come."""

    def __init__(self, emit: Emit, device: torch.device | str, max_bytes: int) -> None:
        self._emit, self._device, self._max_bytes = emit, device, max_bytes
        self._rows: list[Point] = []

    def put(self, draw: Point) -> None:
        """Keeps the rows of one draw that are chosen."""
        chosen = self._emit(draw.without(ENERGY))
        if chosen.dtype != torch.bool or chosen.shape != (len(draw),):
            raise RecipeError(
                f"emit says which of {len(draw)} chains to keep, as bool [B]; it returned {chosen.dtype} of shape "
                f"{tuple(chosen.shape)}."
            )
        self._rows.append(draw.map(lambda tensor: tensor[chosen].to(self._device)))
        n_bytes = sum(map(_n_bytes, self._rows))
        if n_bytes > self._max_bytes:
            raise RecipeError(
                f"The rows emitted so far take {n_bytes:,} bytes, but max_bytes is {self._max_bytes:,}: "
                "sample fewer transitions, or raise max_bytes."
            )

    def all(self) -> Point:
        """Returns x [n, *event] and each coordinate [n, ...]."""
        first = self._rows[0]
        aux = {name: torch.cat([rows.aux[name] for rows in self._rows]) for name in first.aux}
        return Point(x=torch.cat([rows.x for rows in self._rows]), aux=aux)


def _n_bytes(point: Point) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in (point.x, *point.aux.values()))

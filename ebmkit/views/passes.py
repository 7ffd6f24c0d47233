"""The passes of a view: the value and the gradient in x of any energy, run by an engine and in chunks of rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Literal

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.ops.gradients import Ask, energy_and_gradient, leaf
from ebmkit.ops.rows import rows_as
from ebmkit.point import Point
from ebmkit.protocols.energy import Loop, at_least_fp32
from ebmkit.views.captured import CudaGraphs, capture
from ebmkit.views.chunks import RowFunction, Rows, chosen_rows, in_chunks
from ebmkit.views.compiled import compiled
from ebmkit.views.specialised import Function, Specialised

Engine = Literal["eager", "compile", "graph"]
Gradient = Callable[[Point], tuple[Tensor, Tensor]]

ENGINES = ("eager", "compile", "graph")
LARGE = 8192
"""Rows from which chunk = "auto" measures; below, whole batches were never slower."""

_log = logging.getLogger(__name__)


def value_and_gradient(ask: Ask) -> Gradient:
    """Returns the function from a point to its energies [B], at least fp32, and ∇ₓE laid out in memory as x is."""

    def both(point: Point) -> tuple[Tensor, Tensor]:
        start = leaf(point)
        energy, gradient = energy_and_gradient(ask, start, graph=False)
        energy = at_least_fp32(energy.detach())
        if gradient.stride() != start.x.stride():  # networks in channels-last hand back another layout
            gradient = torch.empty_like(start.x).copy_(gradient)
        return energy, gradient

    return both


def telling(energy: Tensor, gradient: Tensor) -> Tensor:
    """Returns the gradient, NaN in rows whose energy is not finite: who asks for it alone sees it there."""
    return gradient + rows_as(energy - energy, gradient).to(gradient.dtype)


class Passes:
    """Value-and-gradient passes by one engine.

    Attributes:
        engine: "eager", "compile" (one compiled function of value and gradient) or "graph" (captured on CUDA).
        chunk: rows a pass, 0 for all at once, "auto" as long as no batch of `LARGE` rows has been seen.

    Raises:
        CapabilityError: the engine is unknown or cannot run here, or the chunk is no count of rows.
    """

    def __init__(self, ask: Ask, engine: str, chunk: Rows, *, tolerance: float) -> None:
        _check(engine, chunk)
        self.engine, self.chunk = engine, chunk
        self._eager = value_and_gradient(ask)
        make = {"compile": lambda f, tensors: compiled(f, tensors, tolerance), "graph": _captured}.get(engine)
        self._special = None if make is None else Specialised(make)

    def energy_and_gradient(self, point: Point) -> tuple[Tensor, Tensor]:
        """Returns the energies [B], nats, at least fp32, and ∇ₓE [B, *event]."""
        rows = self._rows(point)
        if self.engine == "graph":  # a graph holds the chunks: one replay for all of them
            energy, gradient = self._specialised(lambda p: in_chunks(self._eager, p, rows), point, ("gradient", rows))
        elif self.engine == "compile":
            energy, gradient = in_chunks(lambda p: self._specialised(self._eager, p, "gradient"), point, rows)
        else:
            energy, gradient = in_chunks(self._eager, point, rows)
        return energy, gradient

    def gradient(self, point: Point) -> Tensor:
        """Returns ∇ₓE [B, *event], NaN in rows whose energy is not finite."""
        return telling(*self.energy_and_gradient(point))

    def value(self, ask: Ask, point: Point) -> Tensor:
        """Returns what a function gives of the rows [B, ...], without gradients; never compiled."""
        with torch.no_grad():
            return in_chunks(lambda p: (ask(p),), point, self._rows(point))[0]

    def moves(self, key: Hashable, loop: Loop, point: Point, noise: Tensor) -> Tensor:
        """Returns loop(gradient, point, noise): x after K moves, as one captured graph.

        Args:
            key: equal for loops that compute the same.
            loop: a pure function of its arguments; `gradient` maps a point to ∇ₓE.
            point: where the moves start.
            noise: [K, B, *event], for all moves, drawn outside: a captured generator would repeat itself.
        """
        assert self._special is not None
        rows, names = self._rows(point), tuple(point.aux)

        def run(x: Tensor, noise: Tensor, *aux: Tensor) -> tuple[Tensor]:
            start = Point(x=x, aux=dict(zip(names, aux, strict=True)))
            return (loop(lambda p: telling(*in_chunks(self._eager, p, rows)), start, noise),)

        return self._special((key, rows, names), run, point.x, noise, *point.aux.values())[0]

    def _specialised(self, function: RowFunction, point: Point, key: Hashable) -> tuple[Tensor, ...]:
        assert self._special is not None
        if point.x.dtype != torch.float32:
            return function(point)
        names = tuple(point.aux)

        def run(x: Tensor, *aux: Tensor) -> tuple[Tensor, ...]:
            return function(Point(x=x, aux=dict(zip(names, aux, strict=True))))

        return self._special((key, names), run, point.x, *point.aux.values())

    def _rows(self, point: Point) -> int:
        if self.chunk == "auto":
            if len(point) < LARGE:
                return 0
            self.chunk = 0 if point.x.device.type != "cpu" else chosen_rows(self._eager, point)
            _log.info("chunk = %s for batches of %s rows, by measurement", self.chunk, len(point))
        assert isinstance(self.chunk, int)
        return self.chunk


def _captured(function: Function, tensors: tuple[Tensor, ...]) -> Function:
    return capture(function, tensors, CudaGraphs())


def _check(engine: str, chunk: Rows) -> None:
    if engine not in ENGINES:
        raise CapabilityError(f"engine '{engine}' is unknown: {', '.join(ENGINES)}.")
    if engine == "graph" and not torch.cuda.is_available():
        raise CapabilityError('engine "graph" captures CUDA graphs, but there is no CUDA device here: use "eager".')
    if chunk != "auto" and (not isinstance(chunk, int) or isinstance(chunk, bool) or chunk < 0):
        raise CapabilityError(f'chunk counts the rows of a pass: 0 for all at once, or "auto"; found {chunk!r}.')

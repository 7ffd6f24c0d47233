"""What a sampler promises, and what a transition takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from torch import Generator, Tensor

from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView

Tuning = Mapping[str, Any]
"""Step sizes and adaptation counts: tensors, or one such mapping for each child of a sequence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tail:
    """The last moves of a transition whose graph is kept, and the rows that keep it.

    Attributes:
        moves: number of last moves.
        rows: the first `rows` rows; None for all of them.
    """

    moves: int = 1
    rows: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SamplerState:
    """All that the next transition depends on.

    Attributes:
        point: B chains.
        tuning: step sizes and adaptation counts, empty where nothing is tuned.
        rng: the stream that transitions advance.
    """

    point: Point
    rng: Generator
    tuning: Tuning = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SamplerInfo:
    """Diagnostics of one transition; nothing later depends on them.

    Attributes:
        start: where the transition began.
        accept_rate: [B] in [0, 1], 1 where moves are not accepted or rejected.
        n_moves: moves made by each chain.
        n_gradients: energy gradients that each chain asked of the view; the graph of a tail is not counted.
        children: one info for each part of a sequence.
    """

    start: Point
    accept_rate: Tensor
    n_moves: int
    n_gradients: int
    children: tuple[SamplerInfo, ...] = ()


@runtime_checkable
class Sampler(Protocol):
    """A pure transition: the same (point, tuning, rng state) gives the same next point.

    Attributes:
        moves_coordinates: the coordinates beyond x that it moves. One that lists none moves x, unless an attribute
            `moves_x` says otherwise. One whose attribute `passes_tail` is true moves x without an energy gradient:
            it keeps the graph it is handed, and a tail belongs to a part before it. One whose attribute `discrete` is
            true moves x among discrete values; one that is unadjusted says in `bias_order` the order of its bias in
            the step size. It may have a method
            `metrics(info, tuning)` that returns named scalars about a transition for the log, and a method
            `figures(tuning)` that returns named matplotlib figures for the folder of samples. One that is a sequence
            and keeps records beside has the sequence in an attribute `sequence`: generation takes parts out of it.
    """

    moves_coordinates: frozenset[str]

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point."""
        ...

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after one transition; nothing of the input changes except `state.rng`.

        With a tail, the rows it names carry the graph of the last moves, with unchanged values.
        """
        ...


def moves_x(sampler: Sampler) -> bool:
    """Returns whether a sampler moves x: its `moves_x` if it has one, else whether it lists no coordinate."""
    return bool(getattr(sampler, "moves_x", not sampler.moves_coordinates))


def is_discrete(sampler: Sampler) -> bool:
    """Returns whether a sampler moves x among discrete values."""
    return bool(getattr(sampler, "discrete", False))


def owns_tail(sampler: Sampler) -> bool:
    """Returns whether a tail's graph can begin in a sampler: it moves x, and not just by passing a graph on."""
    return moves_x(sampler) and not getattr(sampler, "passes_tail", False)

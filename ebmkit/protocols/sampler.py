"""What a sampler promises, and what a transition takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from torch import Generator, Tensor

from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.traits import SamplerTraits

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
        accept_rate: [B] in [0, 1], accepted proposals over proposals; 1 where there are none.
        n_moves: moves made by each chain.
        n_gradients: energy gradients that each chain asked of the view; the graph of a tail is not counted.
        n_proposals: moves of x by each chain that were accepted or rejected. What always happens is none: an unadjusted
            move, a draw of a coordinate given all else, an augmentation.
        children: one info for each part of a sequence.
    """

    start: Point
    accept_rate: Tensor
    n_moves: int
    n_gradients: int
    n_proposals: int = 0
    children: tuple[SamplerInfo, ...] = ()


@runtime_checkable
class Sampler(Protocol):
    """A pure transition: the same (point, tuning, rng state) gives the same next point.

    Attributes:
        traits: what it does, as its declaration says.
    """

    traits: SamplerTraits

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


Goes = Callable[[Sampler], bool]
"""Whether a part of a sampler is to be taken out."""


@runtime_checkable
class Composite(Protocol):
    """A sampler made of others. Part i has its tuning under "i", and child i of the info is its own.

    Attributes:
        children: its parts, in order. A composite that adds coordinates to the points which its parts move names them
            in an attribute `hands_down`.
    """

    children: tuple[Sampler, ...]

    def without(self, goes: Goes, tuning: Tuning) -> tuple[Sampler, Tuning] | None:
        """Returns what is left without the parts that go, and its tuning; None where nothing is.

        One of which nothing goes returns itself and the tuning as it is.
        """
        ...


@runtime_checkable
class Adaptive(Protocol):
    """A sampler whose step sizes learn from its transitions, in training and in burn-in.

    Attributes:
        warmup: transitions at the start of training that take every finite proposal.
    """

    @property
    def warmup(self) -> int:
        """Transitions, 0 for none."""
        ...

    def adapted(self, tuning: Tuning, info: SamplerInfo) -> Tuning:
        """Returns the tuning after one transition."""
        ...


@runtime_checkable
class Rescalable(Protocol):
    """A sampler whose step can be made smaller at the same temperature, for a steeper energy."""

    def slower(self, divisor: float) -> Sampler:
        """Returns the sampler with its step size divided; whoever has a tuning divides its "step_size" likewise."""
        ...


@runtime_checkable
class Monitored(Protocol):
    """A sampler that says more of its transitions than acceptance."""

    def metrics(self, info: SamplerInfo, tuning: Tuning) -> Mapping[str, Tensor]:
        """Returns named scalars about a transition, for the log."""
        ...

    def figures(self, tuning: Tuning) -> Mapping[str, Any]:
        """Returns named matplotlib figures, for the folder of samples."""
        ...


@runtime_checkable
class Bounded(Protocol):
    """A sampler that must start within bounds.

    Attributes:
        bounds: (lowest, highest) value of x; None where it is unbounded.
    """

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Data units."""
        ...

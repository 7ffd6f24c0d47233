"""What each kind of part promises. Nothing here runs a chain or owns a parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError
from ebmkit.point import Batch, Point

if TYPE_CHECKING:
    from ebmkit.phases import Phases

Tuning = Mapping[str, Any]
"""Step sizes and adaptation counts: tensors, or one such mapping for each child of a sequence."""


class Energy(Protocol):
    """Maps a point to one number a row, in nats: low means likely, p(x) ∝ exp(−E(x)/T).

    Rows do not see each other. An energy that can give more than its value (features, latent, levels)
    says so in `abilities` and answers `evaluate`, which asks its backbone once for everything.
    """

    def __call__(self, point: Point, /) -> Tensor:
        """Returns the energies [B], nats."""
        ...


def evaluate(energy: Energy, point: Point, *abilities: str) -> Mapping[str, Tensor]:
    """Returns what was asked of an energy, by name, from one pass where it can.

    Args:
        energy: any energy; one without an `evaluate` method is asked for each ability by its own method.
        point: B configurations.
        abilities: `"energy"` [B] nats, `"features"` [B, F], `"latent"` [B, D] of unit norm, `"levels"` [B, L] nats.

    Raises:
        CapabilityError: the energy cannot give one of them.
    """
    method = getattr(energy, "evaluate", None)
    if method is not None:
        values: Mapping[str, Tensor] = method(point, *abilities)
        return values
    return {name: _ability(energy, name)(point) for name in abilities}


def at_least_fp32(values: Tensor) -> Tensor:
    """Returns energies in fp32, or in float64 where that is what they are in: differences of nats need the digits."""
    return values if values.dtype == torch.float64 else values.float()


def _ability(energy: Energy, name: str) -> Callable[[Point], Tensor]:
    if name == "energy":
        return energy
    method: Callable[[Point], Tensor] | None = getattr(energy, name, None)
    if method is None:
        raise lacks_ability(energy, name)
    return method


def lacks_ability(energy: object, name: str) -> CapabilityError:
    """Returns the error for an ability that an energy was asked for and does not have."""
    have = ", ".join(sorted(abilities_of(energy)))
    return CapabilityError(
        f"'{name}' was asked of {type(energy).__name__}, which gives: {have}. Wrap it in a part that gives '{name}'."
    )


def abilities_of(energy: object) -> frozenset[str]:
    """Returns the names an energy answers to in `evaluate`; every energy answers to `"energy"`."""
    return frozenset(getattr(energy, "abilities", frozenset())) | {"energy"}


@runtime_checkable
class EnergyView(Protocol):
    """What sampling sees of an energy: values and gradients in x, no parameter gradients.

    Attributes:
        live: the energy itself, for the moves whose graph is kept.
    """

    live: Energy

    def energy(self, point: Point) -> Tensor:
        """Returns the energies [B], nats, in fp32: for acceptance ratios."""
        ...

    def levels(self, point: Point, name: str = "level") -> Tensor:
        """Returns the energies [B, L] of all values of a discrete coordinate, nats, in fp32: for Gibbs draws."""
        ...

    def drift(self, point: Point) -> Tensor:
        """Returns ∇ₓE [B, *event], nats per data unit, perhaps from a bf16 pass."""
        ...

    def energy_and_drift(self, point: Point) -> tuple[Tensor, Tensor]:
        """Returns both, from one pass where their precisions agree."""
        ...


@runtime_checkable
class Coordinate(Protocol):
    """One named entry of a point beyond x: how it is lifted from data, where its chains start, what it still shows.

    Attributes:
        name: its key in `Point.aux`.
    """

    name: str

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        """Returns the point with this coordinate drawn for each datum (and x changed where it noises x)."""
        ...

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        """Returns the n-row point with this coordinate drawn for fresh chains; purpose is "buffer" or "generation"."""
        ...

    def clean(self, point: Point) -> Point:
        """Returns the point with this coordinate at the value that data have."""
        ...

    def is_data(self, point: Point) -> Tensor:
        """Returns [B] bool: the rows that are points of the data distribution."""
        ...

    def signal(self, point: Point) -> Tensor:
        """Returns [B] in [0, 1]: how much of the datum the row still holds."""
        ...

    def to_data(self, point: Point) -> Tensor:
        """Returns x in the value range of the data, for pictures and metrics."""
        ...


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


@runtime_checkable
class Buffer(Protocol):
    """Owns the negatives between training steps, with all their coordinates.

    It may have a property `filled`, the number of rows that hold chains which a sampler has moved; without one, every
    row counts.
    """

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        """Returns a token and B chains to continue, with the positive's values of the coordinates in `match`."""
        ...

    def put(self, token: Any, point: Point) -> None:
        """Takes the moved chains back."""
        ...

    def reference(self, k: int, rng: Generator, exclude: Any = None) -> Point:
        """Returns k other rows, for an entropy, moved ones first; never the rows that a token holds."""
        ...

    def __len__(self) -> int: ...

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the rows, to be saved."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes saved rows."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What objectives ask of the phases; `a | b` asks for both.

    Attributes:
        negatives: chains of the model.
        tail_moves: last moves whose graph is kept.
        tail_rows: chains that keep it; 0 for all of them.
        reference: buffer rows for an entropy.
        reference_fill: rows that must hold moved chains before any reference is drawn; all of a smaller buffer.
        abilities: what is asked of the energy in both phases, so that one pass serves every objective.
    """

    negatives: bool = True
    tail_moves: int = 0
    tail_rows: int = 0
    reference: int = 0
    reference_fill: int = 0
    abilities: frozenset[str] = frozenset({"energy"})

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            negatives=self.negatives or other.negatives,
            tail_moves=max(self.tail_moves, other.tail_moves),
            tail_rows=_most_rows([needs.tail_rows for needs in (self, other) if needs.tail_moves]),
            reference=max(self.reference, other.reference),
            reference_fill=max(self.reference_fill, other.reference_fill),
            abilities=self.abilities | other.abilities,
        )


def _most_rows(asked: list[int]) -> int:
    return 0 if not all(asked) else max(asked, default=0)


@runtime_checkable
class Objective(Protocol):
    """Scores the phases of one step. Never moves a chain.

    Attributes:
        requires: what it needs.
    """

    requires: Needs

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns named scalars; their sum is minimised."""
        ...


@runtime_checkable
class Dataset(Protocol):
    """Training data of one event shape.

    A set of discrete x says so in an attribute `x_values`, "binary" (each entry is the lowest or the highest value of
    its range) or "one-hot" (along the last axis), and its declaration gives `data.discrete`.

    Attributes:
        event_shape: shape of one datum, (channels, height, width) for images.
        value_range: (lowest, highest) value of x, or None where x is unbounded.
        n_classes: number of label values, 0 where there are no labels.
        class_names: their names, perhaps empty.
    """

    event_shape: tuple[int, ...]
    value_range: tuple[float, float] | None
    n_classes: int
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        """Returns the number of data."""
        ...

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        """Returns the data of these rows, dequantised; a set drawn on the fly only counts the rows."""
        ...

    def split(self, name: str) -> Dataset:
        """Returns the "train" or "test" part; raises DataError where there is none."""
        ...

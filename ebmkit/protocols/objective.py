"""What an objective promises, what it needs, and the read-only record of one training step that it scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError
from ebmkit.ops.gradients import energy_and_gradient, leaf
from ebmkit.point import Batch, Point, concatenate
from ebmkit.processes import ALONE, World
from ebmkit.protocols.energy import Energy, values_of
from ebmkit.rng import stream

Named = dict[tuple[str, str], Tensor]

SCORE = "score"
"""What every differentiable energy has beside its own abilities: −∇ₓE [B, *event], nats per data unit."""


class Phases:
    """Positive and negative phase of one step, with lazily evaluated energies.

    The energy is asked once, on both phases together, for all that the objectives together need.
    Values are memoised for the step and carry the parameter graph.

    Attributes:
        batch: clean data.
        positive: lifted data.
        negative: ends of the chains, detached; None where no objective needs them.
        tail: rows of the negative with the graph of their last moves, or None.
        reference: other rows of the buffer, or None.
    """

    __slots__ = (
        "_abilities",
        "_constant",
        "_energy",
        "_memo",
        "_objective",
        "_rng",
        "_world",
        "batch",
        "negative",
        "positive",
        "reference",
        "tail",
    )  # fmt: skip

    batch: Batch
    positive: Point
    negative: Point | None
    tail: Point | None
    reference: Point | None
    _abilities: frozenset[str]
    _energy: Energy
    _constant: Energy
    _memo: Named
    _objective: str
    _rng: Callable[[str], Generator]
    _world: World

    def __init__(
        self,
        *,
        energy: Energy,
        batch: Batch,
        positive: Point,
        negative: Point | None = None,
        tail: Point | None = None,
        reference: Point | None = None,
        abilities: frozenset[str] = frozenset({"energy"}),
        rng: Callable[[str], Generator] = lambda part: stream(0, 0, part),
        constant: Energy | None = None,
        world: World = ALONE,
    ) -> None:
        self._set(
            batch=batch, positive=positive, negative=negative, tail=tail, reference=reference,
            _energy=energy, _abilities=abilities, _rng=rng, _memo={}, _objective="", _world=world,
            _constant=energy if constant is None else constant,
        )  # fmt: skip

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Phases are read-only: '{name}' cannot be set. Objectives never move chains.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Phases are read-only: '{name}' cannot be deleted.")

    def evaluate(self, phase: str, ability: str = "energy") -> Tensor:
        """Returns what the energy says of a phase; "tail" is judged with the parameters held constant.

        Args:
            phase: "positive", "negative" or "tail".
            ability: "energy" [B] nats, "score" −∇ₓE [B, *event] nats per data unit, "features" [B, F], "latent" [B, D],
                "levels.NAME" [B, L] nats.

        Raises:
            CapabilityError: the step has no such phase, or the energy no such ability.
        """
        key = (phase, ability)
        if key not in self._memo:
            abilities = self._abilities if ability in self._abilities else frozenset({ability})
            with torch.enable_grad():  # whoever asks first: the memo serves everybody
                found = self._pass(phase, tuple(sorted(abilities)))
            self._memo.update({new: value for new, value in found.items() if new not in self._memo})
        return self._memo[key]

    def evaluated(self, phase: str, ability: str = "energy") -> Tensor | None:
        """Returns what `evaluate` has found already, None where nobody asked."""
        return self._memo.get((phase, ability))

    def rng(self, part: str) -> Generator:
        """Returns this step's random stream for a part; the same name gives the same stream again.

        Each objective has streams of its own: a name that another one uses, or the step itself, gives another stream.
        """
        return self._rng(f"objective {self._objective}: {part}")

    def joined(self, rows: Tensor) -> Tensor:
        """Returns the rows [B, ...] of all processes that train the model; where there is one, they stay as they are.

        For a loss that compares rows with each other. A mean over rows needs nothing: gradients are averaged over the
        processes. The gradient goes through, once.
        """
        return self._world.rows(rows)

    def seen_by(self, objective: str) -> Phases:
        """Returns the same phases, with the same memory, as an objective of a name sees them: see `rng`."""
        own = Phases.__new__(Phases)
        own._set(**{**{name: getattr(self, name) for name in self.__slots__}, "_objective": objective})
        return own

    def _pass(self, phase: str, abilities: tuple[str, ...]) -> Named:
        point = self._present(phase)
        if phase == "tail" or self.negative is None:
            energy = self._constant if phase == "tail" else self._energy
            return _named(phase, _values(energy, point, abilities))
        n = len(self.positive)
        both = _values(self._energy, concatenate(self.positive, self.negative), abilities)
        first, second = {k: v[:n] for k, v in both.items()}, {k: v[n:] for k, v in both.items()}
        return _named("positive", first) | _named("negative", second)

    def _present(self, phase: str) -> Point:
        if phase not in ("positive", "negative", "tail"):
            raise CapabilityError(f"There is no phase '{phase}': a step has positive, negative and tail.")
        point: Point | None = getattr(self, phase)
        if point is None:
            raise CapabilityError(
                f"The {phase} phase was asked for, but no objective's `requires` named it: add it to Requires."
            )
        return point


def _values(energy: Energy, point: Point, abilities: tuple[str, ...]) -> Mapping[str, Tensor]:
    """Returns what was asked of an energy at a point, its score included, from one pass."""
    if SCORE not in abilities:
        return values_of(energy, point, *abilities)
    if not point.x.is_floating_point():
        raise CapabilityError(f"A score is a gradient in x, but x is {point.x.dtype}: take data with real-valued x.")
    values: dict[str, Tensor] = {}

    def ask(start: Point) -> Tensor:
        values.update(values_of(energy, start, *sorted({*abilities, "energy"} - {SCORE})))
        return values["energy"]

    _, gradient = energy_and_gradient(ask, point if point.x.requires_grad else leaf(point), graph=True)
    return {**values, SCORE: -gradient}


def _named(phase: str, values: Mapping[str, Tensor]) -> Named:
    return {(phase, ability): value for ability, value in values.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Requires:
    """What objectives ask of the phases; `a | b` asks for both.

    Attributes:
        negatives: chains of the model.
        tail_moves: last moves whose graph is kept.
        tail_rows: chains that keep it; 0 for all of them.
        reference: buffer rows for an entropy.
        reference_fill: rows that must hold moved chains before any reference is drawn; all of a smaller buffer.
        abilities: what is asked of the energy in both phases, so that one pass serves every objective.
        derivatives: how often the energy is differentiated in a row, the last time in its parameters: 1 for a loss of
            energies, 2 for one of scores, 3 for one of their derivatives in x. Scores and tails count by themselves.
    """

    negatives: bool = True
    tail_moves: int = 0
    tail_rows: int = 0
    reference: int = 0
    reference_fill: int = 0
    abilities: frozenset[str] = frozenset({"energy"})
    derivatives: int = 1

    def __post_init__(self) -> None:
        least = 2 if self.tail_moves or SCORE in self.abilities else 1
        object.__setattr__(self, "derivatives", max(self.derivatives, least))

    def __or__(self, other: Requires) -> Requires:
        return Requires(
            negatives=self.negatives or other.negatives,
            tail_moves=max(self.tail_moves, other.tail_moves),
            tail_rows=_most_rows([needs.tail_rows for needs in (self, other) if needs.tail_moves]),
            reference=max(self.reference, other.reference),
            reference_fill=max(self.reference_fill, other.reference_fill),
            abilities=self.abilities | other.abilities,
            derivatives=max(self.derivatives, other.derivatives),
        )


def _most_rows(asked: list[int]) -> int:
    return 0 if not all(asked) else max(asked, default=0)


@runtime_checkable
class Objective(Protocol):
    """Scores the phases of one step. Never moves a chain, and keeps nothing from step to step.

    One that has `traits`, an `ObjectiveTraits`, says more of its losses.

    Attributes:
        requires: what it needs.
    """

    requires: Requires

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns named scalars; their sum is minimised."""
        ...


@runtime_checkable
class Placed(Protocol):
    """An objective that a program may build before there is a run, and that must know the run it is handed to."""

    def placed(self, context: Any) -> None:
        """Takes what it needs of the run's `BuildContext`; raises CapabilityError where it cannot work there."""
        ...

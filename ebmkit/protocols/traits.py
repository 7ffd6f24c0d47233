"""What samplers and objectives say of themselves. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Literal

from ebmkit.errors import PluginError

X = "x"
"""How traits call x among what a sampler moves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplerTraits:
    """What a sampler does, said once: its declaration and the built sampler have the same traits.

    Capability words, checks and laws follow from it.

    Attributes:
        moves: "x", and names of the coordinates that it moves.
        discrete: it moves x among discrete values.
        adjusted: it leaves p invariant.
        bias_order: of a sampler that is not adjusted, the order of its bias in the step size, where it is known.
        asks_gradient: it moves by the gradient of the energy; an augmentation does not.
        tail: "keeps" the graph of its last moves; "passes" on a graph that x carries; "refuses" both.

    Raises:
        PluginError: they cannot be.

    >>> sorted(SamplerTraits(moves={"x", "level"}, adjusted=True, tail="keeps").words)
    ['moves.level', 'sampler.exact', 'sampler.tail']
    """

    moves: Set[str] = frozenset({X})
    discrete: bool = False
    adjusted: bool = False
    bias_order: int | None = None
    asks_gradient: bool = True
    tail: Literal["keeps", "passes", "refuses"] = "refuses"

    def __post_init__(self) -> None:
        if isinstance(self.moves, str):
            raise PluginError(f"Traits: moves is a set of names, found '{self.moves}'. Write moves={{'{self.moves}'}}.")
        if self.tail not in ("keeps", "passes", "refuses"):
            raise PluginError(f"Traits: a tail is 'keeps', 'passes' or 'refuses', found {self.tail!r}.")
        if self.adjusted and self.bias_order is not None:
            raise PluginError(f"Traits: an adjusted sampler has no bias, found bias_order = {self.bias_order}.")
        object.__setattr__(self, "moves", frozenset(self.moves))

    @property
    def moves_x(self) -> bool:
        """Whether it moves x."""
        return X in self.moves

    @property
    def coordinates(self) -> frozenset[str]:
        """The coordinates that it moves, x not among them."""
        return frozenset(self.moves - {X})

    @property
    def only_augments(self) -> bool:
        """Whether it changes x alone, without the energy and without leaving p invariant."""
        return self.moves == {X} and not self.asks_gradient and not self.adjusted

    @property
    def words(self) -> frozenset[str]:
        """The capability words that other declarations may need."""
        said = {
            "sampler.exact": self.adjusted,
            "sampler.unadjusted": self.moves_x and self.asks_gradient and not self.adjusted,
            "sampler.tail": self.tail == "keeps",
            "sampler.discrete": self.discrete,
        }
        return frozenset(
            {word for word, holds in said.items() if holds} | {f"moves.{name}" for name in self.coordinates}
        )


DERIVED = ("sampler.exact", "sampler.unadjusted", "sampler.tail", "sampler.discrete", "moves.")
"""Words, or their beginnings, that follow from traits and are declared in no other way."""


def joined(parts: Iterable[SamplerTraits]) -> SamplerTraits:
    """Returns the traits of samplers that move chains one after the other.

    The graph of a tail is that of the last part that does not just pass one on.
    """
    every = tuple(parts)
    orders = [traits.bias_order for traits in every if not traits.adjusted]
    return SamplerTraits(
        moves=frozenset().union(*(traits.moves for traits in every)),
        discrete=any(traits.discrete for traits in every),
        adjusted=all(traits.adjusted for traits in every),
        bias_order=None if None in orders else min((order for order in orders if order is not None), default=None),
        asks_gradient=any(traits.asks_gradient for traits in every),
        tail=next((traits.tail for traits in reversed(every) if traits.tail != "passes"), "passes"),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectiveTraits:
    """What an objective says of its losses, by their names. One that says nothing has none of either.

    Attributes:
        contrasts: losses that compare the two phases: they fall with the energies of the data, rise with those of the
            chains, and are 0 where both phases are the same points.
        shared: losses that train the energy and the objective's own parameters at once. Every other loss trains one of
            the two and leaves the other alone.

    Raises:
        PluginError: a set of names is one name.

    >>> ObjectiveTraits(contrasts={"gap"}).contrasts
    frozenset({'gap'})
    """

    contrasts: Set[str] = frozenset()
    shared: Set[str] = frozenset()

    def __post_init__(self) -> None:
        for field in ("contrasts", "shared"):
            names = getattr(self, field)
            if isinstance(names, str):
                raise PluginError(f"Traits: {field} is a set of losses, found '{names}'. Write {field}={{'{names}'}}.")
            object.__setattr__(self, field, frozenset(names))


def objective_traits(objective: object) -> ObjectiveTraits:
    """Returns what an objective says of its losses; raises PluginError where it is something else."""
    traits = getattr(objective, "traits", ObjectiveTraits())
    if not isinstance(traits, ObjectiveTraits):
        raise PluginError(f"The traits of an objective are ebmkit.ObjectiveTraits(…), found {type(traits).__name__}.")
    return traits

"""How fresh chains are made: after how many transitions, or at which visit to data, each of them is taken."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import get_args

from ebmkit.errors import CapabilityError, RecipeError, did_you_mean
from ebmkit.protocols.coordinate import Coordinate, Descending
from ebmkit.recipes.counts import MOST
from ebmkit.recipes.tables import Method
from ebmkit.sampling.anneal import walked_by
from ebmkit.sampling.model import Model

TRANSITIONS = 10
"""Transitions of a chain, where neither the recipe nor the caller says."""

TRANSITIONS_PER_VISIT, TRANSITIONS_TO_DATA = 200, 1000
"""The same where chains are taken at a visit to data: at most so many for each visit, and so many to get there."""

ENOUGH_VISITS = 10
"""Visits to data below which samples are told to be biased: the default of `[sample] visits`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How chains are made.

    Attributes:
        visits: visits to data after which a chain is taken; 0: it is taken after its transitions.
        transitions: transitions of a chain; by visits, the most that it may make; annealed, the values it comes by.
        plain_transitions: transitions after these, without parts that only augment; 0 by visits.
        walked: the coordinate along which chains are annealed, "" where they are not.
        moves: exact moves at each value of that coordinate.
        values: the values of a coordinate that chains come down, one after so many of their transitions; 0 for none.
    """

    visits: int
    transitions: int
    plain_transitions: int
    values: int = 0
    walked: str = ""
    moves: int = 0

    def taken(self) -> str:
        """Returns when chains are taken, in words."""
        if self.walked:
            steps = "an ancestral step" + (f" and {self.moves} exact moves" if self.moves else "")
            return f"after a walk from {self.walked} {self.transitions - 1} to 0, {steps} at each"
        if self.visits:
            return f"at visit {self.visits} to data"
        made = self.transitions + self.plain_transitions
        return f"after {made:,} transition{'' if made == 1 else 's'}"

    def often(self) -> str:
        """Returns how often a chain is to be at data, in words."""
        return {1: "once", 2: "twice"}.get(self.visits, f"{self.visits} times")

    def bias(self) -> str:
        """Returns what is wrong with samples that are taken early, and what helps; "" where chains are not."""
        if self.walked and not self.moves:
            return (
                "Chains made ancestral steps alone, which is the law of no level: each adds too little noise and keeps "
                "the error of the step before. Ask for exact moves (--moves 8)."
            )
        if not 0 < self.visits < ENOUGH_VISITS:
            return ""
        return (
            f"Chains are taken at visit {self.visits} to data, which is early: what is easily reached from noise is "
            "too frequent among them (of four equal rings, .34 to .14 at visit 1 and .30 to .20 at visit 2). Ask for "
            f"--visits {ENOUGH_VISITS} or more."
        )


def plan_of(
    model: Model,
    given: Collection[str],
    transitions: int | None = None,
    visits: int | None = None,
    plain_transitions: int | None = None,
    *,
    method: Method | None = None,
    moves: int | None = None,
) -> Plan:
    """Returns how chains of a model are made: as asked, else as its recipe says.

    Args:
        model: with the sampler that moves the chains.
        given: coordinates that stay at what they are given.
        transitions: of each chain; by visits, the most.
        visits: to data, after which a chain is taken.
        plain_transitions: after the transitions, without parts that only augment.
        method: "anneal" or "visits".
        moves: annealed, exact moves at each value of the coordinate.

    Raises:
        RecipeError: there is no such method, a count is not positive, or beyond any use, or what was asked does not
            apply to such chains.
        CapabilityError: nothing brings its chains to data.
    """
    _check_method(method)
    _check_counts(transitions, visits, plain_transitions, moves)
    config = model.recipe.table("sample")
    if (method or config.method) == "anneal":
        return _annealed(model, given, {"transitions": transitions, "visits": visits}, plain_transitions, moves)
    if moves is not None:
        raise RecipeError(f'moves = {moves} has no effect: they belong to method = "anneal". Leave them out.')
    away, down = leaving_data(model, given), descended(model, given)
    if down is not None:
        _check_idle(visits, plain_transitions, f"chains come down {down.name} to data, where they are taken")
        n = (down.n_values or 1) - 1
        each = transitions or config.transitions or 1
        return Plan(visits=0, transitions=n * each, plain_transitions=0, values=n)
    n_visits = config.visits if visits is None else visits
    n_plain = config.plain_transitions if plain_transitions is None else plain_transitions
    if not away:
        if visits is not None:
            raise RecipeError(
                f"visits = {visits} has no effect: chains are taken after their transitions, as {_why_at_data(model)}. "
                "Leave it out."
            )
        return Plan(visits=0, transitions=transitions or config.transitions or TRANSITIONS, plain_transitions=n_plain)
    if n_plain:
        raise RecipeError(
            f"plain_transitions = {n_plain} has no effect: chains of this run are taken at a visit to data, which "
            f"{' and '.join(away)} decides, and make no more transitions. Set it to 0."
        )
    most = transitions or config.transitions or TRANSITIONS_TO_DATA + TRANSITIONS_PER_VISIT * n_visits
    return Plan(visits=n_visits, transitions=most, plain_transitions=0)


def _annealed(
    model: Model, given: Collection[str], asked: dict[str, int | None], plain: int | None, moves: int | None
) -> Plan:
    """Returns the plan of chains that walk from noise to data; raises where something else was asked for, too."""
    idle = [f"{name} = {count}" for name, count in asked.items() if count is not None]
    idle += [f"plain_transitions = {plain}"] if plain else []
    if idle:
        raise RecipeError(
            f"{' and '.join(idle)} has no effect: annealed chains make one walk from noise to data. Leave it out, or "
            'sample with method = "visits".'
        )
    config, coordinate = model.recipe.table("sample"), walked_by(model, given)
    return Plan(
        visits=0,
        transitions=coordinate.n_values or 0,
        plain_transitions=0,
        walked=coordinate.name,
        moves=config.moves if moves is None else moves,
    )


def leaving_data(model: Model, given: Collection[str]) -> list[str]:
    """Returns the coordinates that take chains away from data and back, of those that are not given.

    Raises:
        CapabilityError: the sampler does not move one of them, so that chains would never come to data.
    """
    names = [c.name for c in model.coordinates if c.leaves_data and c.name not in given]
    down = descended(model, given)
    known = model.sampler.traits.coordinates | ({down.name} if down is not None else set())
    stuck = [name for name in names if name not in known]
    if stuck:
        raise CapabilityError(
            f"Fresh chains do not start at data, and no part of the sampler moves {', '.join(stuck)}: they never get "
            f"there. Hold it (--given {stuck[0]}=…), or train with a sampler that moves it, as gibbs does."
        )
    return names


def descended(model: Model, given: Collection[str]) -> Coordinate | None:
    """Returns the coordinate that chains come down, from its last value to data; None where a sampler moves it."""
    for coordinate in model.coordinates:
        moved = coordinate.name in model.sampler.traits.coordinates or coordinate.name in given
        if isinstance(coordinate, Descending) and coordinate.leaves_data and coordinate.n_values and not moved:
            return coordinate
    return None


def _check_idle(visits: int | None, plain: int | None, why: str) -> None:
    """Raises RecipeError where visits or plain transitions were asked for and have no effect."""
    for name, count in (("visits", visits), ("plain_transitions", plain)):
        if count:
            raise RecipeError(f"{name} = {count} has no effect: {why}. Leave it out.")


def _why_at_data(model: Model) -> str:
    """Returns why no coordinate takes chains away from data."""
    away = [c.name for c in model.coordinates if c.leaves_data]
    return f"{' and '.join(away)} is held at what was given" if away else "they are at data all the time"


def _check_method(method: str | None) -> None:
    known = get_args(Method)
    if method is not None and method not in known:
        raise RecipeError(
            f"There is no method '{method}' of sampling.{did_you_mean(str(method), known)} Methods: {', '.join(known)}."
        )


def _check_counts(
    transitions: int | None, visits: int | None, plain_transitions: int | None, moves: int | None
) -> None:
    asked = {"transitions": transitions, "visits": visits, "plain_transitions": plain_transitions, "moves": moves}
    for name, count in asked.items():
        least = 0 if name in ("plain_transitions", "moves") else 1
        if count is not None and count < least:
            raise RecipeError(f"Sampling needs {name} of at least {least}, found {count}.")
        if count is not None and count > MOST:
            raise RecipeError(f"{name} = {count:,} can only be a slip: up to {MOST:,} are taken. Give fewer.")

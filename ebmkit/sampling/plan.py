"""How fresh chains are made: after how many transitions, or at which visit to data, each of them is taken."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.recipes.counts import MOST
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
        transitions: transitions of a chain; by visits, the most that it may make.
        plain_transitions: transitions after these, without parts that only augment; 0 by visits.
    """

    visits: int
    transitions: int
    plain_transitions: int

    def often(self) -> str:
        """Returns how often a chain is to be at data, in words."""
        return {1: "once", 2: "twice"}.get(self.visits, f"{self.visits} times")

    def bias(self) -> str:
        """Returns what is wrong with samples that are taken early, and what helps; "" where chains are not."""
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
) -> Plan:
    """Returns how chains of a model are made: as asked, else as its recipe says.

    Args:
        model: with the sampler that moves the chains.
        given: coordinates that stay at what they are given.
        transitions: of each chain; by visits, the most.
        visits: to data, after which a chain is taken.
        plain_transitions: after the transitions, without parts that only augment.

    Raises:
        RecipeError: a count is not positive, or beyond any use, or what was asked does not apply to such chains.
        CapabilityError: nothing brings its chains to data.
    """
    _check_counts(transitions, visits, plain_transitions)
    config, away = model.recipe.table("sample"), leaving_data(model, given)
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


def leaving_data(model: Model, given: Collection[str]) -> list[str]:
    """Returns the coordinates that take chains away from data and back, of those that are not given.

    Raises:
        CapabilityError: the sampler does not move one of them, so that chains would never come to data.
    """
    names = [c.name for c in model.coordinates if c.leaves_data and c.name not in given]
    stuck = [name for name in names if name not in model.sampler.traits.coordinates]
    if stuck:
        raise CapabilityError(
            f"Fresh chains do not start at data, and no part of the sampler moves {', '.join(stuck)}: they never get "
            f"there. Hold it (--given {stuck[0]}=…), or train with a sampler that moves it, as gibbs does."
        )
    return names


def _why_at_data(model: Model) -> str:
    """Returns why no coordinate takes chains away from data."""
    away = [c.name for c in model.coordinates if c.leaves_data]
    return f"{' and '.join(away)} is held at what was given" if away else "they are at data all the time"


def _check_counts(transitions: int | None, visits: int | None, plain_transitions: int | None) -> None:
    asked = {"transitions": transitions, "visits": visits, "plain_transitions": plain_transitions}
    for name, count in asked.items():
        least = 0 if name == "plain_transitions" else 1
        if count is not None and count < least:
            raise RecipeError(f"Sampling needs {name} of at least {least}, found {count}.")
        if count is not None and count > MOST:
            raise RecipeError(f"{name} = {count:,} can only be a slip: up to {MOST:,} are taken. Give fewer.")

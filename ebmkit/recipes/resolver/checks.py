"""What must be true of every recipe before anything is built, and what to say where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ebmkit.errors import CapabilityError, EbmkitError
from ebmkit.plugins.component import Component, Need
from ebmkit.recipes.resolver.choice import Choice
from ebmkit.recipes.resolver.defaults import DEFAULTS
from ebmkit.recipes.resolver.draft import OF_CHAINS, Draft
from ebmkit.recipes.resolver.overrides import check_reached, settings_of_table
from ebmkit.recipes.resolver.temperature import disagreement
from ebmkit.recipes.settings import settings_of, validated, written
from ebmkit.recipes.tables import samplers_named


def check(draft: Draft) -> None:
    """Raises what is wrong with a finished draft.

    Raises:
        RecipeError: an override reaches no part, or several.
        CapabilityError: a need is not met, parts disagree, or a part cannot work here.
    """
    check_reached(draft.overrides, draft.choices, draft.left_out.items())
    _check_sample(draft)
    for problem in _problems(draft):
        raise CapabilityError(problem)


def _check_sample(draft: Draft) -> None:
    """Raises RecipeError where `[sample]` names a sampler that does not exist."""
    asked = draft.recipe.with_table("sample", **settings_of_table(draft.overrides, "sample")).table("sample")
    for name in samplers_named(asked.sampler):
        draft.host.get("sampler", name)


def _problems(draft: Draft) -> Iterator[str]:
    chains = draft.needs_chains()
    for table in DEFAULTS:
        if not draft.of(table) and (chains or table not in OF_CHAINS):
            yield f"A run needs a [{table}]; this recipe is marked as resolved and has none. Add one, or drop the mark."
    yield from draft.problems
    if not chains:
        yield from _idle_buffer(draft)
    yield from _values_of_x(draft)
    yield from _given_twice(draft)
    temperature, origin = draft.temperature()
    odd = disagreement(temperature, origin, [(c.name, draft.settled(c)) for c in draft.of("sampler")])
    if odd:
        yield odd
    for choice in draft.everyone():
        reason = draft.objection("refuse", choice)
        if reason:
            yield f"{choice} cannot be used here{_added(choice)}: {reason}"
    for need, by in draft.unmet():
        yield f"{by}{_added(by)} needs {need.word}; {_found(draft, need, by)}. {_advice(draft, need, by)}"


def _idle_buffer(draft: Draft) -> Iterator[str]:
    """Yields the buffer of a run without chains."""
    names = ", ".join(choice.name for choice in draft.of("objective"))
    for choice in draft.of("buffer"):
        yield f"{choice} keeps chains, but no objective of this run needs any ({names}): leave the buffer out."


def _given_twice(draft: Draft) -> Iterator[str]:
    """Yields the wrappers that both give what no energy gives, without the outer one building on the inner one."""
    of_energy = frozenset().union(*(draft.gives(choice) for choice in draft.of("energy")))
    wrappers = draft.ordered("wrapper")
    for i, outer in enumerate(wrappers):
        new = draft.gives(outer) - of_energy - {need.word for need in draft.ask("needs", outer)}
        for inner in wrappers[:i]:
            if twice := sorted(new & draft.gives(inner)):
                yield f"{inner} and {outer} both give {', '.join(twice)}: an energy has one of them. Leave one out."


def _values_of_x(draft: Draft) -> Iterator[str]:
    """Yields what is wrong where samplers move real-valued x and the data are discrete, or the reverse."""
    discrete = any("data.discrete" in draft.gives(choice) for choice in draft.of("data"))
    data = ", ".join(choice.name for choice in draft.of("data"))
    for choice in draft.of("sampler"):
        traits = draft.traits(choice)
        if traits.discrete and not discrete:
            yield (
                f"{choice} moves discrete x, but x of data {data} is real-valued: choose a sampler of such x, or "
                f"{' or '.join(givers_of(draft, Need('data.discrete')))}."
            )
        elif discrete and traits.moves_x and traits.asks_gradient and not traits.discrete:
            yield (
                f"{choice}{_added(choice)} moves real-valued x, but x of data {data} is discrete: choose "
                f"{' or '.join(givers_of(draft, Need('sampler.discrete')))}."
            )


def _found(draft: Draft, need: Need, by: Choice) -> str:
    kind = need.word.split(".")[0]
    chained = draft.is_chained(need, by)
    words = draft.capabilities_before(by.table, by) if chained else draft.capabilities()
    have = ", ".join(sorted(word for word in words if word.split(".")[0] == kind))
    return f"found{f' before {by.name}' if chained else ''}: {have or 'nothing of the kind'}"


def _advice(draft: Draft, need: Need, by: Choice) -> str:
    """Returns what would help: another order, a setting, or a part to add."""
    given = any(need.word in draft.gives(choice) for choice in draft.everyone())
    for choice in draft.everyone() if given else ():
        if need.word in draft.hides(choice):
            return f"{choice} hides it: leave one of them out."
    for choice in draft.everyone():
        if choice is not by and choice.table == by.table and need.word in draft.gives(choice):
            return f"{choice} gives it: put it before {by.name}."
        if choice.would_give(need.word, need.config, draft.assumed.selection):
            now = {name: value for name, value in settings_of(draft.settled(choice)).items() if name in need.config}
            return f"{choice} gives it with {written(need.config)}, but has {written(now)}{_because(choice, need)}."
    givers = " or ".join(givers_of(draft, need))
    verb = "Choose" if need.word.startswith("buffer.") else "Add"  # a run has one
    advice = f"{verb} {givers}" if givers else "No installed part gives it; see `ebmkit plugins`"
    return f"{advice}, or {need.otherwise}." if need.otherwise else f"{advice}."


def givers_of(draft: Draft, need: Need) -> Iterator[str]:
    """Yields the installed parts that give a word, with the settings under which they do."""
    for component, _ in draft.host.all():
        name = f"{component.kind} {component.name}"
        if need.word in _gives(draft, component, {}):
            yield name
        elif need.config and need.word in _gives(draft, component, dict(need.config)):
            yield f"{name} with {written(need.config)}"


def _gives(draft: Draft, component: Component, settings: dict[str, Any]) -> tuple[Any, ...]:
    own = (f"point.{component.name}",) if component.kind == "coordinate" else ()
    try:
        config = validated(component.config, settings, component.name)
        return *own, *component.ask("gives", config, draft.assumed.selection)
    except EbmkitError:  # it has no such setting, or cannot do without one
        return own


def _because(choice: Choice, need: Need) -> str:
    for name in need.config:
        if name in choice.given:
            return ", as was asked"
        if name in choice.set_by_need:
            return f" ({choice.set_by_need_of[name]})"
    return ""


def _added(choice: Choice) -> str:
    return f" (added: {choice.reason})" if choice.reason else ""

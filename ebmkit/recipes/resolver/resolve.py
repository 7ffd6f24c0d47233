"""Turns what a user named into a complete recipe, in whatever order it was named, and says what was added and why.

A pass asks every rule under one assumption of the temperature, the samplers' words and the coordinates. Coordinates
that are needed come first, then what parts include, to a fixpoint, then settings that would meet a need, then its
default provider. A late part may change the assumption: then another pass is made, until what is assumed is what comes
out. What cannot be met is refused before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ebmkit.errors import CapabilityError
from ebmkit.plugins.component import Include, Need
from ebmkit.plugins.host import Host
from ebmkit.plugins.scale import Scale
from ebmkit.recipes.recipe import LISTS, SINGLES, Recipe, table_of
from ebmkit.recipes.resolver import vectors
from ebmkit.recipes.resolver.assumed import Assumed
from ebmkit.recipes.resolver.checks import check
from ebmkit.recipes.resolver.choice import BY_DEFAULT, Choice
from ebmkit.recipes.resolver.defaults import DEFAULTS
from ebmkit.recipes.resolver.deprecated import deprecations
from ebmkit.recipes.resolver.draft import Draft
from ebmkit.recipes.resolver.optimisers import asked_owners, declared, optimisers
from ebmkit.recipes.resolver.overrides import is_missed
from ebmkit.recipes.resolver.usual import table_settings, vector_notes
from ebmkit.recipes.settings import as_toml, settings_of, written
from ebmkit.recipes.tables import TABLES

__all__ = ["DEFAULTS", "Resolution", "resolve"]

PROVIDER = {"point": "coordinate", "sampler": "sampler", "moves": "sampler", "objective": "objective"}  # else a wrapper


@dataclass(frozen=True, slots=True)
class Resolution:
    """A complete recipe and one line for everything that was added, set or left out.

    Attributes:
        recipe: resolved.
        notes: the lines.
        draft: the last pass, for who resolves several recipes together; None for a recipe of several stages.
        missed: paths of overrides, and "optim.OWNER", that reached nothing.
    """

    recipe: Recipe
    notes: tuple[str, ...]
    draft: Draft | None = field(default=None, compare=False, repr=False)
    missed: frozenset[str] = frozenset()


def resolve(
    recipe: Recipe,
    host: Host,
    event_shape: tuple[int, ...] | None = None,
    scale: Scale | None = None,
    *,
    is_one_of_several: bool = False,
) -> Resolution:
    """Returns the complete recipe.

    Args:
        recipe: what was asked; one marked `resolved` is only checked.
        host: where declarations come from.
        event_shape: of the data, where it is known already.
        scale: of the data, where it is far from that of a standard normal.
        is_one_of_several: settings that reach no part are not refused, but returned as missed.

    Raises:
        RecipeError: an unknown name or setting.
        CapabilityError: a need that nothing chosen meets, two parts that disagree, or a part that cannot work here.
    """
    draft, tried = Draft(recipe, host, event_shape, scale), list[Assumed]()
    assumed, added = replace(draft.found(), chains=True), set[str]()
    while assumed not in tried:
        tried.append(assumed)
        draft, before = Draft(recipe, host, event_shape, scale), added
        draft.assume(assumed)
        if not recipe.resolved:
            _complete(draft)
        assumed, added = draft.found(), {str(choice) for choice in draft.choices}
        if assumed == tried[-1]:
            return _finish(draft, is_one_of_several)
    raise CapabilityError(
        f"The parts contradict each other: with {', '.join(sorted(before ^ added)) or 'their settings'} added, the "
        "temperature, samplers or settings become such that this must not be added. Name what you want of it yourself."
    )


# --- completion


def _complete(draft: Draft) -> None:
    while _provide(draft, "point.") or _include(draft) or _grant(draft) or _provide(draft):
        pass


def _include(draft: Draft) -> bool:
    """Adds one part that another includes, unless its own rules or the user's choice speak against it."""
    wanted = draft.includes()
    for include, _ in wanted:
        table = table_of(include.kind)
        key = table, include.name
        if any(key == choice.key for choice in (*draft.choices, *draft.left_out)):
            continue
        same = [(i, b) for i, b in wanted if (i.kind, i.name) == (include.kind, include.name)]
        choice = draft.choice(table, include.name, _included(same))
        against = draft.objection("skip", choice) or draft.objection("refuse", choice) or _in_the_way(draft, choice)
        if against:
            draft.left_out[choice] = against
        else:
            draft.add(choice, before=frozenset(i.before for i, _ in same if i.before))
            return True
    return False


def _in_the_way(draft: Draft, choice: Choice) -> str:
    """Returns why a part of which a run has one is not taken; a mere default makes room for it."""
    if choice.table not in SINGLES:
        return ""
    other = draft.of(choice.table)[0]
    if other.reason == BY_DEFAULT:
        draft.choices.remove(other)
        return ""
    if other.reason:
        draft.problem(f"A run has one {choice.table}: {other} ({other.reason}), and {choice} ({choice.reason}).")
    return f"{other} was chosen"


def _grant(draft: Draft) -> bool:
    """Changes settings of one chosen part so that it gives what is needed; never what the user set."""
    for need, by in draft.unmet():
        for choice in draft.everyone() if need.config else ():
            if choice is not by and _free_to_give(draft, choice, need):
                choice.grant(need.config, f"{by.name} needs {need.word}")
                return True
    return False


def _free_to_give(draft: Draft, choice: Choice, need: Need) -> bool:
    found, wanted = choice.settings, as_toml(need.config)
    if wanted.items() <= found.items() or any(found.get(name, value) != value for name, value in wanted.items()):
        return False
    return choice.would_give(need.word, need.config, draft.assumed.selection)


def _provide(draft: Draft, prefix: str = "") -> bool:
    """Adds the default provider of one thing that is needed."""
    unmet = [(need, by) for need, by in draft.unmet() if need.default and need.word.startswith(prefix)]
    for need, by in unmet:
        defaults = sorted({str(other.default) for other, _ in unmet if other.word == need.word})
        if len(defaults) > 1:
            draft.problem(f"{need.word} is needed, and the providers are disputed: name {' or '.join(defaults)}.")
            continue
        table = PROVIDER.get(need.word.split(".")[0], "wrapper")
        choice = draft.choice(table, defaults[0], f"{by.name} needs {need.word}", need.config)
        again = table == "sampler" and need.word in draft.gives(choice)  # one more, for another coordinate
        if again or choice.key not in [other.key for other in draft.choices]:
            draft.add(choice)
            return True
    return False


# --- the result


def _finish(draft: Draft, is_one_of_several: bool) -> Resolution:
    missed = _leave_out_missed(draft) if is_one_of_several else frozenset[str]()
    check(draft)
    notes = tuple(_notes(draft))
    parts = {table: tuple(draft.part(choice) for choice in draft.ordered(table)) for table in (*SINGLES, *LISTS)}
    asked = {name: draft.recipe.with_table(name, **table_settings(draft, name)) for name in TABLES}
    asked["run"] = asked["run"].with_table("run", temperature=draft.temperature()[0])
    tables = {name: settings_of(recipe.table(name)) for name, recipe in asked.items()}
    made = replace(draft.recipe, parts=parts, tables=tables, optim=optimisers(draft), overrides=(), resolved=True)
    return Resolution(made, notes, draft, missed)


def _leave_out_missed(draft: Draft) -> frozenset[str]:
    """Drops the overrides that reach no part, and optimisers whose owners are not here; returns what it dropped."""
    missed = [override for override in draft.overrides if is_missed(override, draft.choices)]
    absent = asked_owners(draft) - declared(draft).keys()
    kept = (o for o in draft.overrides if o not in missed and not (o.table == "optim" and o.part in absent))
    draft.overrides = tuple(kept)
    optim = {owner: table for owner, table in draft.recipe.optim.items() if owner not in absent}
    draft.recipe = replace(draft.recipe, optim=optim)
    return frozenset((*(override.path for override in missed), *(f"optim.{owner}" for owner in absent)))


def _notes(draft: Draft) -> Iterator[str]:
    for choice in draft.everyone():
        yield from notes_of(choice)
    for choice, against in sorted(draft.left_out.items(), key=lambda item: item[0].key):
        yield f"{choice} left out ({choice.reason}): {against}"
    yield from vector_notes(draft)
    yield from deprecations(draft.everyone())
    temperature, origin = draft.temperature()
    if origin != "run.temperature":
        yield f"temperature {temperature:g} ({origin})"


def notes_of(choice: Choice) -> Iterator[str]:
    """Yields what is to be said of a part: that it was added, and what other parts set on it, with the reasons."""
    set_by_need = {name: value for name, value in choice.set_by_need.items() if name not in choice.given}
    whys = (why for name in set_by_need if (why := choice.set_by_need_of[name]) != vectors.WHY)
    for why in dict.fromkeys([choice.reason, *whys]):
        settings = written({name: value for name, value in set_by_need.items() if choice.set_by_need_of[name] == why})
        if why and why == choice.reason:
            yield f"added {choice}{' with ' if settings else ''}{settings} ({why})"
        elif why:
            yield f"{choice}: {settings} ({why})"


def _included(same: list[tuple[Include, Choice]]) -> str:
    names = list(dict.fromkeys(by.name for _, by in same))
    reason = next((include.reason for include, _ in same if include.reason), "")
    verb = "include" if len(names) > 1 else "includes"
    return f"{' and '.join(names)} {verb} it" + (f": {reason}" if reason else "")

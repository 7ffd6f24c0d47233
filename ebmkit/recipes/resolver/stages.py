"""Completes a run with stages: each as a recipe of its own, all with one data set, energy and temperature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.plugins.host import Host
from ebmkit.plugins.scale import Scale
from ebmkit.recipes.recipe import LISTS, SINGLES, Part, Recipe
from ebmkit.recipes.resolver.asked_stages import own_paths, stages_asked
from ebmkit.recipes.resolver.choice import BY_DEFAULT, Choice
from ebmkit.recipes.resolver.draft import Draft
from ebmkit.recipes.resolver.resolve import Resolution, resolve
from ebmkit.recipes.resolver.stage_notes import notes_of_stages
from ebmkit.recipes.resolver.vectors import WHY
from ebmkit.recipes.stage import OF_STAGE, folded, stage_name

SHARED = tuple(table for table in (*SINGLES, *LISTS) if table not in OF_STAGE)
"""Tables that all stages have in common."""

PASSES = 6
"""After which stages that still ask for more are said to contradict each other."""

Parts = Mapping[str, tuple[Part, ...]]


def resolve_run(
    recipe: Recipe, host: Host, event_shape: tuple[int, ...] | None = None, scale: Scale | None = None
) -> Resolution:
    """Returns the complete recipe of a run, with or without stages; see `resolve`.

    Each stage is resolved by itself. Then all get what any of them wants of the energy, its wrappers, the coordinates
    and the data, until none wants more, and the temperature of those that have chains.

    Raises:
        RecipeError, CapabilityError: as `resolve`, naming the stage; or two stages contradict each other.
    """
    if recipe.stage is not None or not recipe.stages:
        _refuse_stage_overrides(recipe)
        return resolve(recipe, host, event_shape, scale)
    asked = tuple(_without_idle_buffer(one, host, event_shape) for one in stages_asked(recipe))
    resolved = partial(_resolved, host=host, event_shape=event_shape, scale=scale)
    shared: Parts = {}
    seen = list[Draft]()
    for _ in range(PASSES):
        found = [resolved(_with(one, shared)) for one in asked]
        seen += [_draft(one) for one in found]
        before, shared = shared, _union([_draft(one) for one in found])
        if shared == before:
            break
    else:
        raise CapabilityError("The stages go on asking for more of the energy, each because of the others: name its "
                              "wrappers and coordinates, with their settings, above the first [[stage]].")  # fmt: skip
    temperature, origin = _temperature([_draft(one) for one in found])
    found = [resolved(_with(one, shared).with_table("run", temperature=temperature)) for one in asked]
    _check_same(found)
    _check_missed(recipe, found, resolved)
    stages = tuple(folded(one.recipe).stages[place] for place, one in enumerate(found))
    notes = notes_of_stages(found, seen, SHARED, (temperature, origin))
    return Resolution(replace(folded(found[0].recipe), stages=stages), tuple(notes))


def _resolved(
    recipe: Recipe, *, host: Host, event_shape: tuple[int, ...] | None, scale: Scale | None, strictly: bool = False
) -> Resolution:
    try:
        return resolve(recipe, host, event_shape, scale, is_one_of_several=not strictly)
    except (RecipeError, CapabilityError) as error:
        raise type(error)(f"Stage '{stage_name(recipe)}': {error}") from error


def _draft(found: Resolution) -> Draft:
    assert found.draft is not None, "one recipe has one draft"
    return found.draft


def _with(recipe: Recipe, shared: Parts) -> Recipe:
    return replace(recipe, parts={**recipe.parts, **shared})


def _without_idle_buffer(recipe: Recipe, host: Host, event_shape: tuple[int, ...] | None) -> Recipe:
    """Returns a stage's recipe without the buffer of the run, where the stage has none of its own and no chains."""
    assert recipe.stage is not None
    if "buffer" in recipe.stages[recipe.stage].parts or "buffer" not in recipe.parts:
        return recipe
    if Draft(recipe, host, event_shape).needs_chains():
        return recipe
    return recipe.with_part("buffer")


# --- what all stages have in common


def _union(drafts: Sequence[Draft]) -> Parts:
    """Returns the parts that all stages are to have, with what was set on them.

    Raises:
        CapabilityError: two stages want different ones where a run has one, or different settings.
    """
    return {table: tuple(_union_of(table, drafts)) for table in SHARED if any(draft.of(table) for draft in drafts)}


def _union_of(table: str, drafts: Sequence[Draft]) -> Iterator[Part]:
    wanted: dict[str, list[tuple[str, Choice]]] = {}
    for draft in drafts:
        for choice in draft.ordered(table):
            wanted.setdefault(choice.name, []).append((stage_name(draft.recipe), choice))
    if table in SINGLES and len(wanted) > 1:  # a mere default makes room
        by_choice = {name: all_ for name, all_ in wanted.items() if any(c.reason != BY_DEFAULT for _, c in all_)}
        wanted = by_choice or wanted
        if len(wanted) > 1:
            said = "; ".join(f"stage '{who}' {choice} ({choice.reason})" for who, choice in _firsts(wanted))
            raise CapabilityError(f"A run has one {table} in all stages, and they want different ones: {said}. "
                                  f"Name one above the first [[stage]].")  # fmt: skip
    for name, choices in wanted.items():
        yield Part(name, _settings(table, choices), choices[0][1].built)


def _firsts(wanted: Mapping[str, list[tuple[str, Choice]]]) -> Iterator[tuple[str, Choice]]:
    return (choices[0] for choices in wanted.values())


def _settings(table: str, choices: Sequence[tuple[str, Choice]]) -> dict[str, Any]:
    """Returns what users and stages set on one part."""
    found: dict[str, tuple[Any, str, str]] = {}
    for stage, choice in choices:
        for name, value in choice.settings.items():
            why = choice.set_by_need_of.get(name, "")
            if name not in choice.given and why == WHY:  # found again, once the stages agree
                continue
            first, other, reason = found.setdefault(name, (value, stage, why))
            if first != value:
                raise CapabilityError(
                    f"The stages want different settings of {choice}, of which the run has one: {name} = {first!r} in "
                    f"stage '{other}' ({reason}), {value!r} in stage '{stage}' ({why}). Decide above the first "
                    f"[[stage]], or with --set {table}.{choice.name}.{name}=…"
                )
    return {name: value for name, (value, _, _) in found.items()}


def _temperature(drafts: Sequence[Draft]) -> tuple[float, str]:
    """Returns the one temperature of all stages and where it comes from: of those with chains, if any has."""
    chained = [draft for draft in drafts if draft.needs_chains()] or drafts
    decided = {stage_name(draft.recipe): draft.temperature() for draft in chained}
    (first, (temperature, origin)), *others = decided.items()
    for other, (another, why) in others:
        if another != temperature:
            raise CapabilityError(
                f"A run has one temperature, since the energy that passes on means p ∝ exp(−E/T): stage '{first}' has "
                f"{temperature:g} ({origin}), stage '{other}' {another:g} ({why}). Set run.temperature above the first "
                "[[stage]], or choose samplers that agree."
            )
    return temperature, origin if origin == "run.temperature" else f"{origin}, stage {first}"


def _check_same(found: Sequence[Resolution]) -> None:
    """Raises CapabilityError where stages still differ in what they have in common."""
    first, *others = [one.recipe for one in found]
    for other in others:
        for table in SHARED:
            ours, theirs = first.parts.get(table, ()), other.parts.get(table, ())
            if ours != theirs:
                raise CapabilityError(
                    f"[{table}] is the same in all stages of a run, but stage '{stage_name(first)}' would have "
                    f"{_difference(ours, theirs)} in stage '{stage_name(other)}'. Name it, with its settings, above "
                    "the first [[stage]]."
                )


def _difference(ours: Sequence[Part], theirs: Sequence[Part]) -> str:
    for one, two in zip(ours, theirs, strict=False):
        if one.use == two.use:
            for name in sorted(one.settings.keys() | two.settings.keys()):
                if one.settings.get(name) != two.settings.get(name):
                    return f"{one.use}.{name} = {one.settings.get(name)!r}, and {two.settings.get(name)!r}"
    names = (", ".join(part.use for part in parts) or "none" for parts in (ours, theirs))
    return ", and ".join(names)


# --- overrides that reach nothing


def _check_missed(recipe: Recipe, found: Sequence[Resolution], resolved: Any) -> None:
    """Raises RecipeError for a setting of one stage that misses there, or one of the run that misses in every stage."""
    everywhere = frozenset.intersection(*(one.missed for one in found))
    for asked, one in zip(stages_asked(recipe), found, strict=True):
        assert asked.stage is not None
        stage = asked.stages[asked.stage]
        own = own_paths(recipe, stage) | {f"optim.{owner}" for owner in stage.optim}
        own |= {path.rpartition(".")[0] for path in own if path.startswith("optim.") and path.count(".") > 1}
        if wrong := one.missed & (own | everywhere):
            kept = [(path, value) for path, value in asked.overrides if path in wrong or path.startswith("optim.")]
            resolved(replace(one.recipe, resolved=False, optim=asked.optim, overrides=tuple(kept)), strictly=True)
            raise RecipeError(f"{', '.join(sorted(wrong))}: no part of this run has it.")


def _refuse_stage_overrides(recipe: Recipe) -> None:
    for path, _ in recipe.overrides:
        if path.partition(".")[0] == "stage":
            raise RecipeError(f"--set {path}: this recipe has no stages. Leave the name of the stage out.")

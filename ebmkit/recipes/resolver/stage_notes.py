"""What is said of a run with stages before it starts: who added what, what each stage trains, and what passes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from ebmkit.recipes.recipe import Recipe
from ebmkit.recipes.resolver.draft import Draft
from ebmkit.recipes.resolver.resolve import Resolution, notes_of
from ebmkit.recipes.stage import begins_after, stage_name


def notes_of_stages(
    found: Sequence[Resolution], seen: Sequence[Draft], shared: Collection[str], decided: tuple[float, str]
) -> Iterator[str]:
    """Yields one line for everything that was added, set or left out, and for each stage and each border.

    Args:
        found: each stage, resolved.
        seen: all passes that led there.
        shared: tables that all stages have in common.
        decided: the temperature, and where it comes from.
    """
    yield from _shared_notes(seen, shared, len(found))
    own = [list(one.notes) for one in found]
    in_all = [line for line in own[0] if all(line in lines for lines in own)]
    yield from in_all
    temperature, origin = decided
    if origin != "run.temperature":
        yield f"temperature {temperature:g} in all stages ({origin})"
    for place, (one, lines) in enumerate(zip(found, own, strict=True)):
        if place:
            yield _border(found[place - 1].recipe, one.recipe)
        yield headline(one.recipe)
        yield from (f"stage {stage_name(one.recipe)}: {line}" for line in lines if line not in in_all)


def headline(recipe: Recipe) -> str:
    """Returns what a stage is, from its recipe, in one line."""
    objectives = " + ".join(part.use for part in recipe.parts.get("objective", ()))
    samplers = " + ".join(part.use for part in recipe.parts.get("sampler", ()))
    buffer = ", ".join(part.use for part in recipe.parts.get("buffer", ()))
    chains = f"chains by {samplers}, kept in {buffer}" if buffer else "no chains"
    run = recipe.table("run")
    first, place = begins_after(recipe) + 1, (recipe.stage or 0) + 1
    steps = f"steps {first} to {run.steps} of {run.batch_size} data"
    return f"stage {stage_name(recipe)} ({place} of {len(recipe.stages)}), {steps}: {objectives}; {chains}"


def _border(before: Recipe, after: Recipe) -> str:
    former, now = ({part.use for part in recipe.parts["objective"]} for recipe in (before, after))
    both = sorted(former & now)
    new = sorted(now - former)
    passed = " and ".join(["weights and averages of the energy", *(f"those of {name}" for name in both)])
    fresh = ["optimisers", *(["buffer", "tuning of the sampler"] if "buffer" in after.parts else [])]
    fresh += [f"all of objective {name}" for name in new]
    return f"from {stage_name(before)} to {stage_name(after)} pass on: {passed}; begin anew: {', '.join(fresh)}"


def _shared_notes(seen: Sequence[Draft], shared: Collection[str], n_stages: int) -> Iterator[str]:
    """Yields what is said of the parts that all stages have, each with the stages that ask for it."""
    who: dict[tuple[str, str], dict[str, None]] = {}
    at_first = Counter(str(choice) for draft in seen[:n_stages] for choice in draft.everyone())
    for draft in seen:
        for choice in draft.everyone():
            for line in notes_of(choice) if choice.table in shared else ():
                who.setdefault((str(choice), line), {})[stage_name(draft.recipe)] = None
    for (part, line), stages in who.items():
        asked = "" if len(stages) == n_stages else f", for stage {', '.join(stages)}"
        yield line + asked + ("" if at_first[part] == n_stages else "; all stages have it")

"""What the tables of a run are where nobody set them, and the line that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ebmkit.recipes.resolver import vectors
from ebmkit.recipes.resolver.draft import Draft
from ebmkit.recipes.resolver.overrides import settings_of_table
from ebmkit.recipes.settings import written


def table_settings(draft: Draft, name: str) -> dict[str, object]:
    """Returns what is set in `[run]` and its like: by the user, else by the kind of data."""
    usual = vectors.TABLES.get(name, {}) if draft.has_vectors else {}
    return {**usual, **draft.recipe.tables.get(name, {}), **settings_of_table(draft.overrides, name)}


def vector_notes(draft: Draft) -> Iterator[str]:
    """Yields one line of all settings that are those for vectors, and one of an unusual scale."""
    told = "; ".join(f"{where} {written(settings)}" for where, settings in _unset(draft) if settings)
    if told:
        yield f"{vectors.WHY}, so what nobody set is: {told}"
    if draft.has_vectors and draft.scale is not None:
        yield (
            f"x is far from a standard normal: {draft.scale}. Fresh chains start there, and step sizes and the inputs "
            "of energy mlp are in units of its s.d.; a network of your own is best given (x − mean)/s.d."
        )


def _unset(draft: Draft) -> Iterator[tuple[str, dict[str, object]]]:
    """Yields table or part, and those of its settings that are for vectors."""
    if not draft.has_vectors:
        return
    for name, usual in vectors.TABLES.items():
        asked = {**draft.recipe.tables.get(name, {}), **settings_of_table(draft.overrides, name)}
        yield f"[{name}]", _without(usual, asked)
    asked = {**draft.recipe.optim.get("energy", {}), **settings_of_table(draft.overrides, "optim", "energy")}
    yield "[optim.energy]", _without(vectors.OPTIM, asked)
    for choice in draft.everyone():
        granted = {name: value for name, value in choice.set_by_need.items() if name not in vectors.OF_SCALE}
        ours = {name: value for name, value in granted.items() if choice.set_by_need_of[name] == vectors.WHY}
        yield str(choice), _without(ours, choice.given)


def _without(settings: Mapping[str, object], asked: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if name not in asked}

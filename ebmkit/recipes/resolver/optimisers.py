"""Who owns parameters, and the settings of each owner's optimiser."""

from __future__ import annotations

from ebmkit.errors import RecipeError, did_you_mean
from ebmkit.recipes.resolver.draft import Draft
from ebmkit.recipes.resolver.overrides import settings_of_table
from ebmkit.recipes.resolver.vectors import OPTIM
from ebmkit.recipes.settings import settings_of, validated
from ebmkit.recipes.tables import OptimConfig


def optimisers(draft: Draft) -> dict[str, dict[str, object]]:
    """Returns owner → settings: those for vectors, under those of the declarations, under those of the user.

    The energy owns what its wrappers have; an objective may own parameters.

    Raises:
        RecipeError: settings for a part that owns none, or settings that are wrong.
    """
    usual = OPTIM if draft.has_vectors else {}
    declared = {"energy": {**usual, **draft.of("energy")[0].component.optim}}
    declared |= {c.name: dict(c.component.optim) for c in draft.of("objective")}
    asked = {owner: dict(settings) for owner, settings in draft.recipe.optim.items()}
    for owner in {override.part for override in draft.overrides if override.table == "optim"}:
        asked[owner] = {**asked.get(owner, {}), **settings_of_table(draft.overrides, "optim", owner)}
    for owner in sorted(set(asked) - set(declared)):
        raise RecipeError(f"[optim.{owner}]: {_why_not(draft, owner)} Owners can be: {', '.join(sorted(declared))}.")
    merged = {owner: {**settings, **asked.get(owner, {})} for owner, settings in sorted(declared.items())}
    return {
        owner: settings_of(validated(OptimConfig, settings, f"[optim.{owner}]"))
        for owner, settings in merged.items()
        if owner == "energy" or owner in asked or settings
    }


def _why_not(draft: Draft, owner: str) -> str:
    if any(owner == choice.name for choice in draft.of("energy", "wrapper")):
        return "its parameters belong to the energy: write [optim.energy]."
    if owner in ("adam", "adamw", "sgd"):
        return f"name an optimiser for who owns the parameters: optim.energy.use = {owner}."
    known = ["energy", *(choice.name for choice in draft.of("objective"))]
    return f"no part of this run that may own parameters has that name.{did_you_mean(owner, known)}"

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
    of_owners = declared(draft)
    asked = {
        owner: {**draft.recipe.optim.get(owner, {}), **settings_of_table(draft.overrides, "optim", owner)}
        for owner in asked_owners(draft)
    }
    for owner in sorted(asked.keys() - of_owners.keys()):
        raise RecipeError(f"[optim.{owner}]: {_why_not(draft, owner)} Owners can be: {', '.join(sorted(of_owners))}.")
    merged = {owner: {**settings, **asked.get(owner, {})} for owner, settings in sorted(of_owners.items())}
    return {
        owner: settings_of(validated(OptimConfig, settings, f"[optim.{owner}]"))
        for owner, settings in merged.items()
        if owner == "energy" or owner in asked or settings
    }


def declared(draft: Draft) -> dict[str, dict[str, object]]:
    """Returns the settings that declarations have for who can own parameters."""
    usual = OPTIM if draft.has_vectors else {}
    energy = {"energy": {**usual, **draft.of("energy")[0].component.optim}}
    return energy | {choice.name: dict(choice.component.optim) for choice in draft.of("objective")}


def asked_owners(draft: Draft) -> set[str]:
    """Returns the owners whose optimisers the user set."""
    return {*draft.recipe.optim, *(override.part for override in draft.overrides if override.table == "optim")}


def _why_not(draft: Draft, owner: str) -> str:
    if any(owner == choice.name for choice in draft.of("energy", "wrapper")):
        return "its parameters belong to the energy: write [optim.energy]."
    if owner in ("adam", "adamw", "sgd"):
        return f"name an optimiser for who owns the parameters: optim.energy.use = {owner}."
    known = ["energy", *(choice.name for choice in draft.of("objective"))]
    return f"no part of this run that may own parameters has that name.{did_you_mean(owner, known)}"

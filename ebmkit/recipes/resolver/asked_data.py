"""The data set that a recipe asks for, before anything is resolved."""

from __future__ import annotations

from ebmkit.plugins.host import Host
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.recipes.resolver.asked_stages import stages_asked
from ebmkit.recipes.resolver.draft import Draft


def asked_data(recipe: Recipe, host: Host) -> Part:
    """Returns the `[data]` that a recipe asks for, defaults included, before anything is resolved.

    Raises:
        RecipeError: an unknown part, or a setting of a named part that is wrong.
    """
    drafts = [Draft(one, host, None) for one in (stages_asked(recipe) if recipe.stages else (recipe,))]
    for draft in drafts:
        for choice in draft.choices:
            choice.config()
    return drafts[0].part(*drafts[0].of("data"))

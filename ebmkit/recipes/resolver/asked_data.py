"""The data set that a recipe asks for, before anything is resolved."""

from __future__ import annotations

from ebmkit.plugins.host import Host
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.recipes.resolver.draft import Draft


def asked_data(recipe: Recipe, host: Host) -> Part:
    """Returns the `[data]` that a recipe asks for, defaults included, before anything is resolved.

    Raises:
        RecipeError: an unknown part, or a setting of a named part that is wrong.
    """
    draft = Draft(recipe, host, None)
    for choice in draft.choices:
        choice.config()
    return draft.part(*draft.of("data"))

"""From a part of a recipe to its declaration."""

from __future__ import annotations

from ebmkit.errors import RecipeError
from ebmkit.plugins.component import Component
from ebmkit.plugins.given import absent_component, given_component
from ebmkit.plugins.host import Host
from ebmkit.recipes.recipe import Part, table_of


def declaration_of(kind: str, part: Part, host: Host) -> Component:
    """Returns the declaration of a named part, or what a part that was handed over says of itself.

    Raises:
        RecipeError: no plugin offers it, or a program handed it over and it is not here.
    """
    if part.built is not None:
        return given_component(kind, part.use, part.built)
    if "given" in part.settings and part.use not in host.names(kind):
        if kind == "dataset":  # a trained model can be loaded without its data
            return absent_component(kind, part.use)
        table = table_of(kind)
        raise RecipeError(
            f"{kind.capitalize()} '{part.use}' is {part.settings['given']}, which a Python program handed over: this "
            f"recipe cannot hold it. Hand it over again: ebmkit.load(DIR, given={{'{table}': …}}), or ebmkit.resume."
        )
    return host.get(kind, part.use)

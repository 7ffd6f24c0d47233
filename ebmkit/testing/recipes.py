"""What a package promises of its recipes: each resolves, with the plugins that are installed."""

from __future__ import annotations

from functools import partial

from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import from_toml
from ebmkit.recipes.resolver.stages import resolve_run
from ebmkit.testing.check import Check

PROMISE = "a recipe resolves to a complete one, with the plugins that are installed"


def recipe_checks(names: tuple[str, ...]) -> list[Check]:
    """Returns a check of each recipe, named "recipe.NAME/resolves"; data are not read."""
    return [
        Check(name=f"recipe.{name}/resolves", promise=PROMISE, body=partial(_resolves, name), of_declaration=True)
        for name in names
    ]


def _resolves(name: str) -> None:
    """Raises what `ebmkit run --recipe NAME` would before it reads data."""
    resolve_run(from_toml(host().recipe(name), f"recipe {name}"), host())

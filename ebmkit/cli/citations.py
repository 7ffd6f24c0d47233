"""`cite`: what to cite for a part, a recipe, or ebmkit itself, as text or as BibTeX. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.catalogue import unknown
from ebmkit.display.output import paragraph, say
from ebmkit.plugins.bibtex import bibtex
from ebmkit.plugins.citation import Work, itself, work, works
from ebmkit.plugins.component import Component
from ebmkit.plugins.host import Host, host
from ebmkit.version import __version__

if TYPE_CHECKING:
    from ebmkit.recipes.recipe import Recipe

ITSELF = itself(__version__)


def cite(
    name: Annotated[str | None, typer.Argument(help="A part, a recipe or a recipe file; unset, ebmkit itself.")] = None,
    as_bibtex: Annotated[bool, typer.Option("--bibtex", help="Entries for a BibTeX file.")] = False,
) -> None:
    """Prints what to cite for a part, for a recipe, or for ebmkit."""
    found = {"ebmkit": [work(ITSELF)]} if name is None else _cited(name, host())
    if as_bibtex:
        entries = bibtex(one for cited in found.values() for one in cited)
        say(entries or f"% {name}: nothing to cite", verbatim=True)
        return
    if not found:
        say(f"{name}: nothing to cite.")
    for heading, cited in found.items():
        say(heading)
        for one in cited:
            paragraph(one.text, indent=2)


COMMANDS: dict[str, Callable[..., None]] = {"cite": cite}


def _cited(name: str, found: Host) -> dict[str, list[Work]]:
    """Returns heading → works of the parts of that name, or of those of a recipe; RecipeError for an unknown name."""
    parts = [component for component, _ in found.find(name)]
    if not parts or Path(name).is_file():
        if name not in found.recipe_names() and not Path(name).is_file():
            raise unknown(name, found)
        from ebmkit.recipes.recipe import named_recipe
        from ebmkit.recipes.resolver.resolve import resolve

        parts = _components(resolve(named_recipe(name, found), found).recipe, found)
    return {f"{part.kind} {part.name}": works(part.cite) for part in parts if part.cite}


def _components(recipe: Recipe, found: Host) -> list[Component]:
    return [found.get(kind, name) for kind, name in dict.fromkeys(recipe.named())]

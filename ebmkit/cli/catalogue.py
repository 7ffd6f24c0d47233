"""`list`, `show`, `recipes`, `plugins`, `cite`: what there is to combine. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.declaration import relations, settings_of
from ebmkit.display.output import paragraph, say, table
from ebmkit.errors import EbmkitError, RecipeError, did_you_mean
from ebmkit.plugins.component import KINDS, Component
from ebmkit.plugins.hints import what_was_meant
from ebmkit.plugins.host import Host, host
from ebmkit.plugins.manifest import Plugin

if TYPE_CHECKING:
    from ebmkit.recipes.recipe import Recipe


def list_parts(
    kind: Annotated[str | None, typer.Argument(help=f"Only this kind: {', '.join(KINDS)}.")] = None,
) -> None:
    """Lists the parts that can be named in a run."""
    if kind is not None and kind not in KINDS:
        raise RecipeError(f"There is no kind '{kind}'.{did_you_mean(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    rows = [(c.kind, c.name, c.summary, p.distribution) for c, p in host().all() if kind in (None, c.kind)]
    table(("kind", "name", "summary", "from"), rows, wide="summary")


def show(name: Annotated[str, typer.Argument(help="A part, as `ebmkit list` shows it, or a recipe.")]) -> None:
    """Shows a part and its settings, or the text of a recipe."""
    found = host()
    parts = found.find(name)
    if not parts and name in found.recipe_names():
        say(found.recipe(name).rstrip())
        return
    if not parts:
        raise _unknown(name, found)
    for index, (component, plugin) in enumerate(parts):
        if index:
            say()
        _show(component, plugin)


def list_recipes() -> None:
    """Lists the recipes that core and plugins ship."""
    rows = [(name, _about(name), plugin.distribution) for name, plugin in host().recipes()]
    if not rows:
        say("No plugin here ships a recipe. A recipe of your own is a TOML file: ebmkit run --recipe FILE.")
        return
    table(("name", "about", "from"), rows, wide="about")


def list_plugins() -> None:
    """Lists the plugins, and what is wrong with a broken one.

    Exits with 1 where one is broken.
    """
    found = host()
    rows = [
        (p.name, p.distribution, str(len(p.components)), str(len(p.recipes)), "broken" if p.error else "ok")
        for p in found.plugins
    ]
    table(("name", "from", "parts", "recipes", "state"), rows, wide="from")
    for plugin in found.broken():
        say(f"{plugin.name} ({plugin.distribution}): {plugin.error}")
    if found.broken():
        raise typer.Exit(1)


def cite(name: Annotated[str, typer.Argument(help="A part, a recipe, or a recipe file.")]) -> None:
    """Prints what to cite for a part or a recipe."""
    found = host()
    parts = [component for component, _ in found.find(name)]
    if parts and not Path(name).is_file():
        if not any(component.cite for component in parts):
            say(f"{name}: nothing to cite.")
        _cite([component for component in parts if component.cite])
        return
    if name not in found.recipe_names() and not Path(name).is_file():
        raise _unknown(name, found)
    from ebmkit.recipes.recipe import named_recipe
    from ebmkit.recipes.resolver.resolve import resolve

    _cite(_components(resolve(named_recipe(name, found), found).recipe, found))


COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_parts,
    "show": show,
    "recipes": list_recipes,
    "plugins": list_plugins,
    "cite": cite,
}


def _components(recipe: Recipe, found: Host) -> list[Component]:
    named = [found.get(kind, name) for kind, name in dict.fromkeys(recipe.named())]
    return [component for component in named if component.cite]


def _cite(components: list[Component]) -> None:
    for component in components:
        say(f"{component.kind} {component.name}")
        _works(component, indent=2)


def _works(component: Component, indent: int) -> None:
    for work in component.cite.split("; "):
        paragraph(work, indent)


def _unknown(name: str, found: Host) -> RecipeError:
    parts = [component for component, _ in found.all()]
    hint = what_was_meant(name, parts, more=found.recipe_names()) or " See `ebmkit list` and `ebmkit recipes`."
    return RecipeError(f"There is no part and no recipe '{name}'.{hint}{found.not_loaded()}")


def _about(name: str) -> str:
    """Returns the first sentence of the comment that a recipe begins with."""
    try:
        text = host().recipe(name)
    except (OSError, UnicodeDecodeError, EbmkitError) as error:
        return f"cannot be read: {error}"
    block = takewhile(lambda line: line.startswith("#"), text.lstrip().splitlines())
    return re.split(r"(?<=\.) (?=[A-Z])", " ".join(line.strip("# ") for line in block), maxsplit=1)[0]


def _show(component: Component, plugin: Plugin) -> None:
    say(f"{component.name}: {component.kind} of {plugin.distribution}")
    paragraph(component.summary, indent=2)
    for heading, text in relations(component):
        paragraph(f"{heading}: {text}", indent=2)
    if component.cite:
        say("  cite:")
        _works(component, indent=4)
    settings = settings_of(component.config)
    say("  settings:" if settings else "  settings: none")
    for setting in settings:
        say(f"    {setting.name} = {setting.default}    ({setting.type})")
        paragraph(setting.meaning, indent=8)

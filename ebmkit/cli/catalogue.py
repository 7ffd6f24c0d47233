"""`list`, `show`, `recipes`, `plugins`: what there is to combine. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.declaration import relations, settings_of
from ebmkit.display.output import columns, packed, paragraph, say
from ebmkit.display.tables import table
from ebmkit.errors import EbmkitError, RecipeError, did_you_mean
from ebmkit.plugins.citation import works
from ebmkit.plugins.component import KINDS, Component
from ebmkit.plugins.core_range import CORE
from ebmkit.plugins.hints import what_was_meant
from ebmkit.plugins.host import Host, host
from ebmkit.plugins.manifest import Plugin
from ebmkit.recipes.about import Said, said_by
from ebmkit.version import __version__

if TYPE_CHECKING:
    pass


def list_parts(
    kind: Annotated[str | None, typer.Argument(help=f"Only this kind: {', '.join(KINDS)}.")] = None,
) -> None:
    """Lists the parts that can be named in a run."""
    if kind is not None and kind not in KINDS:
        raise RecipeError(f"There is no kind '{kind}'.{did_you_mean(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    rows = [(c.kind, c.name, c.summary, p.distribution) for c, p in host().all() if kind in (None, c.kind)]
    if not rows:
        say(f"No {kind} is installed: core brings none, and no plugin here does.")
        return
    table(("kind", "name", "summary", "from"), rows, wide="summary")


def show(name: Annotated[str, typer.Argument(help="A part, as `ebmkit list` shows it, or a recipe.")]) -> None:
    """Shows a part and its settings, or the text of a recipe."""
    found = host()
    parts = found.find(name)
    if not parts and name in found.recipe_names():
        say(found.recipe(name).rstrip(), verbatim=True)
        return
    if not parts:
        raise unknown(name, found)
    for index, (component, plugin) in enumerate(parts):
        if index:
            say()
        _show(component, plugin)


def list_recipes() -> None:
    """Lists the recipes that core and plugins ship, who looks after each, and when it last ran."""
    said = [(name, _said(name), plugin.distribution) for name, plugin in host().recipes()]
    rows = [(name, s.last_green or "unknown", _about(s), s.maintainer, whence) for name, s, whence in said]
    if not rows:
        say("No plugin here ships a recipe. A recipe of your own is a TOML file: ebmkit run --recipe FILE.")
        return
    table(("name", "last green", "about", "maintainer", "from"), rows, wide="about")


def list_plugins() -> None:
    """Lists the plugins, and what is wrong with a broken one.

    Exits with 1 where one is broken.
    """
    found = host()
    rows = [
        (p.name, p.distribution, _core(p), str(len(p.components)), str(len(p.recipes)), _state(p))
        for p in found.plugins
    ]
    table(("name", "from", "core", "parts", "recipes", "state"), rows, wide="from")
    for plugin in found.broken():
        say(f"{plugin.name} ({plugin.distribution}): {plugin.error}")
    if found.broken():
        raise typer.Exit(1)


COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_parts,
    "show": show,
    "recipes": list_recipes,
    "plugins": list_plugins,
}


def _works(component: Component, indent: int) -> None:
    for one in works(component.cite):
        paragraph(one.text, indent)


def unknown(name: str, found: Host) -> RecipeError:
    """Returns the error for a name that is neither a part nor a recipe, with what may have been meant."""
    parts = [component for component, _ in found.all()]
    hint = what_was_meant(name, parts, more=found.recipe_names()) or " See `ebmkit list` and `ebmkit recipes`."
    return RecipeError(f"There is no part and no recipe '{name}'.{hint}{found.not_loaded()}")


def _core(plugin: Plugin) -> str:
    """Returns the versions of core that a plugin requires; of core itself, its version."""
    return __version__ if plugin.distribution == CORE else plugin.core or "any"


def _state(plugin: Plugin) -> str:
    return "broken" if plugin.error else "ok"


def _said(name: str) -> Said:
    """Returns what a recipe says of itself, or why it cannot be read."""
    try:
        return said_by(host().recipe(name))
    except (OSError, UnicodeDecodeError, EbmkitError) as error:
        return Said(f"cannot be read: {error}", "", "")


def _about(said: Said) -> str:
    return f"{said.summary} Stages: {', '.join(said.stages)}." if said.stages else said.summary


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
        for line in packed([f"{setting.name} = {setting.default}", f"({setting.type})"], columns() - 4, " " * 4):
            paragraph(line, indent=4)
        paragraph(setting.meaning, indent=8)

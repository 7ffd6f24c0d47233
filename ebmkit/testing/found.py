"""Which parts and recipes are meant: a declaration, an installed distribution, a plugin, or a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ebmkit.errors import PluginError, did_you_mean
from ebmkit.plugins.component import Component
from ebmkit.plugins.host import host
from ebmkit.plugins.manifest import Plugin

Asked = Component | Plugin | str | Path


def parts_in(asked: Asked | Iterable[Component]) -> tuple[Component, ...]:
    """Returns the declarations that are meant.

    Args:
        asked: one or several declarations; a plugin; "ebmkit-clel", a distribution; "clel", the name of a plugin's
            entry point; "mine.py", a file with parts.

    Raises:
        PluginError: there is nothing of that name, or it cannot be loaded.
    """
    if isinstance(asked, Component):
        return _offered((asked,))
    if isinstance(asked, Plugin):
        return asked.components
    if not isinstance(asked, (str, Path)):
        return _offered(tuple(asked))
    return tuple(part for plugin in _plugins(str(asked)) for part in plugin.components)


def recipes_in(asked: Asked | Iterable[Component]) -> tuple[str, ...]:
    """Returns the names of the recipes that are meant; none of declarations. Takes and raises as `parts_in`."""
    if isinstance(asked, Plugin):
        return tuple(asked.recipes)
    if not isinstance(asked, (str, Path)):
        return ()
    return tuple(name for plugin in _plugins(str(asked)) for name in plugin.recipes)


def _plugins(text: str) -> list[Plugin]:
    return _of_file(Path(text)) if text.endswith(".py") else _of_distribution(text)


def _offered(components: tuple[Component, ...]) -> tuple[Component, ...]:
    """Returns declarations, which the host knows from now on: parts are built by name."""
    for component in components:
        if component.name not in host().names(component.kind):
            host().register(component)
        elif host().get(component.kind, component.name) != component:
            raise PluginError(
                f"{component.kind} '{component.name}' is to be checked, and another one of that name is installed. "
                "Give it a name of its own."
            )
    return components


def _of_file(path: Path) -> list[Plugin]:
    known = [plugin for plugin in host().plugins if plugin.distribution == str(path)]
    if not known:
        try:
            host().add_file(path)
        except PluginError as error:
            raise PluginError(str(error).removeprefix("--plugin ")) from error
        known = [plugin for plugin in host().plugins if plugin.distribution == str(path)]
    return known[:1]


def _of_distribution(name: str) -> list[Plugin]:
    plugins = [p for p in host().plugins if name in (p.name, p.distribution, p.distribution.split(" ")[0])]
    for plugin in plugins:
        if plugin.error:
            raise PluginError(f"{plugin} cannot be checked, for it cannot be loaded: {plugin.error}")
    if not plugins:
        known = sorted({p.distribution.split(" ")[0] for p in host().plugins})
        raise PluginError(
            f"No plugin is installed as '{name}'.{did_you_mean(name, known)} Known: {', '.join(known)}. A file ends in "
            ".py; a package is found once it is installed: pip install -e ."
        )
    return plugins

"""The plugin host: finds plugins one at a time, keeps a broken one from stopping the others, and never lets two parts share a name.

Core's own parts come through the same door, as plugin zero.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from ebmkit import hookspecs
from ebmkit.components import KINDS, BuildContext, Component
from ebmkit.errors import EbmkitError, PluginError, RecipeError, did_you_mean
from ebmkit.hookspecs import hookimpl

GROUP = "ebmkit"

__all__ = ["BuildContext", "Component", "Host", "Plugin", "hookimpl", "host", "load_build", "register"]


@dataclass(kw_only=True)
class Plugin:
    """One plugin as it was found.

    Attributes:
        name: of the entry point.
        distribution: package and version that declares it.
        error: why it could not be loaded, "" where it was.
    """

    name: str
    distribution: str
    error: str = ""
    components: tuple[Component, ...] = ()
    recipes: Mapping[str, str] = field(default_factory=dict)


class Host:
    """The parts and recipes of every plugin that could be loaded."""

    def __init__(self) -> None:
        self.plugins: list[Plugin] = []
        self._parts: dict[tuple[str, str], tuple[Component, Plugin]] = {}
        self._recipes: dict[str, tuple[str, Plugin]] = {}
        self._clashes: dict[tuple[str, str], str] = {}
        self._manager = pluggy.PluginManager("ebmkit")
        self._manager.add_hookspecs(hookspecs)

    @property
    def hook(self) -> Any:
        """The hook caller, for `ebmkit_commands` and `ebmkit_on_step`."""
        return self._manager.hook

    def discover(self) -> None:
        """Loads core, then every entry point of the group, each alone.

        `EBMKIT_PLUGINS=a,b` restricts the entry points, `EBMKIT_STRICT=1` re-raises the first failure.
        """
        self.add_plugin("core", "ebmkit-core", lambda: importlib.import_module("ebmkit.core_plugin"))
        wanted = os.environ.get("EBMKIT_PLUGINS")
        found = sorted(entry_points(group=GROUP), key=lambda e: e.name)
        for entry in found:
            if wanted is None or entry.name in wanted.split(","):
                self.add_plugin(entry.name, _distribution(entry), entry.load)
        missing = {w for w in (wanted or "").split(",") if w} - {entry.name for entry in found}
        for name in sorted(missing):
            self.plugins.append(Plugin(name=name, distribution="not installed", error="EBMKIT_PLUGINS names it, but no such entry point is installed"))  # fmt: skip

    def add_plugin(self, name: str, distribution: str, load: Any) -> Plugin:
        """Loads one plugin, all of its parts or none; a failure is kept in `Plugin.error`."""
        plugin = Plugin(name=name, distribution=distribution)
        self.plugins.append(plugin)
        registered = False
        try:
            module = load()
            if self._manager.get_name(module) is not None:
                raise PluginError(f"its module is already loaded as plugin '{self._manager.get_name(module)}'")
            self._manager.register(module, name=f"{distribution}:{name}")
            registered = True
            self._check_hooks(module)
            plugin.components = tuple(self._offered(module, "ebmkit_components", ()))
            plugin.recipes = dict(self._offered(module, "ebmkit_recipes", {}))
            self._take(plugin)
        except (Exception, SystemExit) as error:  # a stranger's import may raise anything; it must not stop the others
            if registered:
                self._manager.unregister(module)
            plugin.components, plugin.recipes = (), {}
            plugin.error = f"{type(error).__name__}: {error}" if not isinstance(error, EbmkitError) else str(error)
            if os.environ.get("EBMKIT_STRICT") == "1":
                raise
        return plugin

    def add_file(self, path: Path) -> None:
        """Loads an idea that is not yet a package: a file whose hooks or `COMPONENTS` name its parts.

        Raises:
            PluginError: the file is absent, fails to import or clashes.
        """
        if not path.is_file():
            raise PluginError(f"--plugin {path}: there is no such file.")
        plugin = self.add_plugin(path.stem, str(path), lambda: _import_file(path))
        if plugin.error:
            raise PluginError(f"--plugin {path} could not be loaded. {plugin.error}")

    def register(self, component: Component, distribution: str = "this program") -> None:
        """Adds one part from a running program."""
        plugin = Plugin(name=component.name, distribution=distribution, components=(component,))
        self._take(plugin)
        self.plugins.append(plugin)

    def get(self, kind: str, name: str) -> Component:
        """Returns the declaration of a part.

        Raises:
            RecipeError: no plugin that could be loaded offers it.
            PluginError: two plugins claim the name, so that nobody can know which was meant.
        """
        if (kind, name) in self._clashes:
            raise PluginError(self._clashes[kind, name])
        if (kind, name) in self._parts:
            return self._parts[kind, name][0]
        known = self.names(kind)
        elsewhere = [k for k, n in self._parts if n == name]
        hint = f" '{name}' is a kind of {elsewhere[0]}." if elsewhere else did_you_mean(name, known)
        raise RecipeError(f"There is no {kind} '{name}'.{hint} Known: {', '.join(known) or 'none'}.{self._broken()}")

    def names(self, kind: str) -> list[str]:
        """Returns the sorted names of the parts of a kind."""
        return sorted(name for k, name in self._parts if k == kind)

    def all(self) -> Iterator[tuple[Component, Plugin]]:
        """Yields every part with the plugin it comes from, by kind and name."""
        for key in sorted(self._parts, key=lambda key: (KINDS.index(key[0]), key[1])):
            yield self._parts[key]

    def find(self, name: str) -> list[tuple[Component, Plugin]]:
        """Returns the parts of that name, of whatever kind."""
        return [part for (_, n), part in self._parts.items() if n == name]

    def recipe(self, name: str) -> str:
        """Returns the TOML text of a recipe that a plugin ships."""
        if name not in self._recipes:
            known = sorted(self._recipes)
            raise RecipeError(
                f"There is no recipe '{name}' and no such file.{did_you_mean(name, known)} "
                f"Known: {', '.join(known) or 'none'}.{self._broken()}"
            )
        text = self._recipes[name][0]
        return Path(text).read_text(encoding="utf-8") if "\n" not in text else text

    def recipes(self) -> Iterator[tuple[str, Plugin]]:
        """Yields every recipe name with the plugin it comes from."""
        for name in sorted(self._recipes):
            yield name, self._recipes[name][1]

    def broken(self) -> list[Plugin]:
        """Returns the plugins that could not be loaded."""
        return [plugin for plugin in self.plugins if plugin.error]

    def _broken(self) -> str:
        return "".join(f"\nPlugin '{p.name}' ({p.distribution}) is not loaded: {p.error}" for p in self.broken())

    def _check_hooks(self, module: Any) -> None:
        known = [name for name in vars(hookspecs) if name.startswith("ebmkit_")]
        for name in dir(module):
            if name.startswith("ebmkit_") and callable(getattr(module, name)) and name not in known:
                raise PluginError(f"it implements an unknown hook '{name}'.{did_you_mean(name, known)}")

    def _offered(self, module: Any, hook: str, empty: Any) -> Any:
        if not hasattr(module, hook):
            return getattr(module, "COMPONENTS", empty) if hook == "ebmkit_components" else empty
        return getattr(module, hook)() or empty

    def _take(self, plugin: Plugin) -> None:
        seen: set[tuple[str, str]] = set()
        for part in plugin.components:
            if not isinstance(part, Component):
                raise PluginError(f"it offers {part!r}, which is not a Component")
            key = (part.kind, part.name)
            owner = self._parts[key][1].distribution if key in self._parts else None
            if owner or key in seen:
                self._clashes[key] = (
                    f"{part.kind} '{part.name}' is declared by both {owner or plugin.distribution} and "
                    f"{plugin.distribution}: uninstall one, or set EBMKIT_PLUGINS to the entry points you want."
                )
                raise PluginError(self._clashes[key])
            seen.add(key)
        for name in plugin.recipes:
            if name in self._recipes:
                raise PluginError(
                    f"recipe '{name}' is declared by both {self._recipes[name][1].distribution} and {plugin.distribution}"
                )
        self._parts.update({(part.kind, part.name): (part, plugin) for part in plugin.components})
        self._recipes.update({name: (text, plugin) for name, text in plugin.recipes.items()})


_host: Host | None = None


def host() -> Host:
    """Returns this process's host, discovering plugins at the first call."""
    global _host
    if _host is None:
        fresh = Host()
        fresh.discover()
        _host = fresh
    return _host


def register(component: Component) -> None:
    """Offers a part to this process, as if a plugin had declared it.

    Raises:
        PluginError: the name is taken.
    """
    host().register(component)


def load_build(component: Component) -> Any:
    """Returns the callable that builds a part.

    Raises:
        PluginError: its module or name cannot be imported.
    """
    module_name, _, attribute = component.build.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"{component.kind} '{component.name}' cannot be built: {component.build} — {error}"
        ) from error


def warnings(plugins: Iterable[Plugin]) -> list[str]:
    """Returns one line for each broken plugin."""
    return [f"plugin '{p.name}' ({p.distribution}) is not loaded: {p.error.splitlines()[0]}" for p in plugins]


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _import_file(path: Path) -> Any:
    name = f"ebmkit_plugin_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module

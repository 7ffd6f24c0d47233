"""The plugin host: finds plugins one at a time, keeps a broken one from stopping the others, lets no two share a name.

Core's own parts come through the same door, as plugin zero.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from ebmkit.errors import PluginError, RecipeError, did_you_mean
from ebmkit.plugins import hookspecs
from ebmkit.plugins.component import KINDS, Component
from ebmkit.plugins.core_range import core_range, refuse_other_core
from ebmkit.plugins.hints import what_was_meant
from ebmkit.plugins.loading import describe, distribution_of, import_file
from ebmkit.plugins.manifest import ClashError, Key, Plugin, clash, declared, recipes_of
from ebmkit.plugins.typed import one_part

GROUP = "ebmkit"
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("ebmkit_"))


class Host:
    """The parts and recipes of every plugin that could be loaded."""

    def __init__(self) -> None:
        self.plugins: list[Plugin] = []
        self._owners: dict[Key, Plugin] = {}
        self._parts: dict[Key, Component] = {}
        self._claimants: dict[Key, list[str]] = {}
        self._manager = pluggy.PluginManager("ebmkit")
        self._manager.add_hookspecs(hookspecs)

    @property
    def hook(self) -> pluggy.HookRelay:
        """The hook caller, for commands and what watches runs."""
        return self._manager.hook

    # --- loading

    def discover(self) -> None:
        """Loads core, then every entry point of the group by name, each alone.

        `EBMKIT_PLUGINS=a,b` restricts the entry points, `EBMKIT_STRICT=1` re-raises the first failure.
        """
        self.add_plugin("core", "ebmkit-core", lambda: importlib.import_module("ebmkit.builtin"))
        asked = os.environ.get("EBMKIT_PLUGINS")
        wanted = None if asked is None else {name.strip() for name in asked.split(",")} - {""}
        found = self._entries()
        for entry in found:
            if wanted is None or entry.name in wanted:
                self.add_plugin(entry.name, distribution_of(entry), entry.load, core_range(entry))
        for name in sorted((wanted or set()) - {entry.name for entry in found}):
            error = "EBMKIT_PLUGINS names it, but no such entry point is installed"
            self.plugins.append(Plugin(name=name, distribution="not installed", error=error))

    def add_plugin(self, name: str, distribution: str, load: Callable[[], object], core: str = "") -> Plugin:
        """Loads one plugin, all of its parts or none; a failure is kept in `Plugin.error`."""
        plugin = Plugin(name=name, distribution=distribution, core=core)
        try:
            self._load(plugin, load)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a stranger's import may raise anything; it must not stop the others
            if os.environ.get("EBMKIT_STRICT") == "1":
                raise
            plugin.error = describe(error)
            self.plugins.append(plugin)
            for key, owner in error.owners.items() if isinstance(error, ClashError) else ():
                self._claimants.setdefault(key, [str(owner)]).append(str(plugin))
        return plugin

    def add_file(self, path: Path) -> None:
        """Loads an idea that is not yet a package: a file whose hooks or `COMPONENTS` name its parts.

        Raises:
            PluginError: the file is absent, fails to import or clashes; the host is as it was.
        """
        try:
            self._load(Plugin(name=path.stem, distribution=str(path)), lambda: import_file(path))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # as above
            if os.environ.get("EBMKIT_STRICT") == "1":
                raise
            raise PluginError(f"--plugin {path} could not be loaded: {describe(error)}") from error

    def register(self, component: Component, distribution: str = "this program") -> None:
        """Adds one part from a running program.

        Raises:
            PluginError: it is no Component, or its name is taken; the host is as it was.
        """
        name = getattr(component, "name", "register")
        self._take(Plugin(name=name, distribution=distribution, components=(component,)))

    # --- asking

    def get(self, kind: str, name: str) -> Component:
        """Returns the declaration of a part.

        Raises:
            RecipeError: no plugin that could be loaded offers it.
            PluginError: two plugins claim the name, so that nobody can know which was meant.
        """
        self._refuse_clash((kind, name))
        if (kind, name) in self._parts:
            return self._parts[kind, name]
        known = self.names(kind)
        hint = what_was_meant(name, list(self._parts.values()), kind)
        raise RecipeError(f"There is no {kind} '{name}'.{hint} Known: {', '.join(known) or 'none'}.{self.not_loaded()}")

    def component_of(self, kind: str | None, config: object) -> Component:
        """Returns the declaration whose settings a config object holds, among all kinds where none is named.

        Raises:
            RecipeError: no part has settings of this class, or several have.
        """
        part = one_part(kind, config, self._parts.values())
        self._refuse_clash((part.kind, part.name))
        return part

    def names(self, kind: str) -> list[str]:
        """Returns the sorted names of the parts of a kind."""
        return sorted(name for k, name in self._parts if k == kind)

    def all(self) -> Iterator[tuple[Component, Plugin]]:
        """Yields every part with the plugin it comes from, by kind and name."""
        for key in sorted(self._parts, key=lambda key: (KINDS.index(key[0]), key[1])):
            yield self._parts[key], self._owners[key]

    def find(self, name: str) -> list[tuple[Component, Plugin]]:
        """Returns the parts of that name, of whatever kind."""
        return [(part, plugin) for part, plugin in self.all() if part.name == name]

    def recipe(self, name: str) -> str:
        """Returns the TOML text of a recipe that a plugin ships.

        Raises:
            RecipeError: no plugin that could be loaded ships it.
            PluginError: two plugins claim the name, or its file cannot be read.
        """
        self._refuse_clash(("recipe", name))
        if ("recipe", name) not in self._owners:
            known = self.recipe_names()
            raise RecipeError(
                f"There is no recipe '{name}' and no such file.{did_you_mean(name, known)} "
                f"Known: {', '.join(known) or 'none'}.{self.not_loaded()}"
            )
        return self._owners["recipe", name].recipe(name)

    def recipe_names(self) -> list[str]:
        """Returns the sorted names of the recipes."""
        return [name for name, _ in self.recipes()]

    def recipes(self) -> Iterator[tuple[str, Plugin]]:
        """Yields every recipe name with the plugin it comes from."""
        for kind, name in sorted(self._owners):
            if kind == "recipe":
                yield name, self._owners[kind, name]

    def broken(self) -> list[Plugin]:
        """Returns the plugins that could not be loaded."""
        return [plugin for plugin in self.plugins if plugin.error]

    def not_loaded(self) -> str:
        """Returns one line, with the line break before it, for each plugin that could not be loaded."""
        return "".join(
            f"\nPlugin '{p.name}' ({p.distribution}) is not loaded: {' '.join(p.error.split())}" for p in self.broken()
        )

    def _refuse_clash(self, key: Key) -> None:
        if key in self._claimants:
            raise PluginError(clash(key, self._claimants[key]))

    # --- taking

    def _entries(self) -> list[EntryPoint]:
        """Returns the entry points in an order that does not depend on the one in which they are found."""
        try:
            return sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value, distribution_of(e)))
        except Exception as error:  # one damaged distribution makes the standard library give up on all
            unread = f"the entry points cannot be read: {describe(error)}"
            self.plugins.append(Plugin(name="?", distribution="some distribution", error=unread))
            return []

    def _load(self, plugin: Plugin, load: Callable[[], object]) -> None:
        refuse_other_core(plugin.core, plugin.distribution)
        module = load()
        if module is None:
            raise PluginError("it names nothing: an entry point names a module or object with hooks")
        other = self._manager.get_name(module)
        if other is not None:
            raise PluginError(f"its module is already loaded as plugin '{other}'")
        try:
            self._manager.register(module, name=f"{plugin.distribution}:{plugin.name}")
            self._check_hooks(module)
            plugin.components = tuple(self._offered(module, "ebmkit_components", "COMPONENTS"))
            plugin.recipes = recipes_of(self._offered(module, "ebmkit_recipes", "RECIPES"))
            self._take(plugin)
        except BaseException:
            plugin.components, plugin.recipes = (), {}
            if self._manager.get_name(module) is not None:
                self._manager.unregister(module)
            raise

    def _check_hooks(self, module: object) -> None:
        marked = {caller.name for caller in self._manager.get_hookcallers(module) or ()}
        named = {n for n in dir(module) if n.startswith("ebmkit_") and callable(getattr(module, n))}
        for name in sorted((marked | named) - set(HOOKS)):
            raise PluginError(f"it implements an unknown hook '{name}'.{did_you_mean(name, HOOKS)}")
        for name in sorted(named - marked):
            raise PluginError(f"its function {name} is not marked as a hook: put @ebmkit.hookimpl above it")

    def _offered(self, module: object, hook: str, otherwise: str) -> Any:  # a stranger's: checked when it is taken
        for implementation in getattr(self.hook, hook).get_hookimpls():
            if implementation.plugin is module:
                return implementation.function() or ()
        return getattr(module, otherwise, ())

    def _take(self, plugin: Plugin) -> None:
        """Adds all that a plugin declares, or raises and adds nothing."""
        keys = declared(plugin)
        owners = {key: self._owners[key] for key in keys if key in self._owners}
        if owners:
            raise ClashError(plugin, owners)
        self._owners.update({key: plugin for key in keys})
        self._parts.update({(part.kind, part.name): part for part in plugin.components})
        self.plugins.append(plugin)


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

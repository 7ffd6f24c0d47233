"""What a plugin declares, and what is said where two of them declare the same name. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ebmkit.errors import PluginError
from ebmkit.plugins.component import Component

Key = tuple[str, str]  # (kind, name); recipes are of kind "recipe"


@dataclass(kw_only=True)
class Plugin:
    """One plugin as it was found.

    Attributes:
        name: of the entry point.
        distribution: package and version that declares it.
        core: versions of core that it requires, "" for any.
        error: why it could not be loaded, "" where it was.
        components: its parts.
        recipes: name → TOML text, or the path of a TOML file.
    """

    name: str
    distribution: str
    core: str = ""
    error: str = ""
    components: tuple[Component, ...] = ()
    recipes: Mapping[str, str | Path] = field(default_factory=dict)

    def recipe(self, name: str) -> str:
        """Returns the TOML text of one of its recipes; raises PluginError where its file cannot be read."""
        text = self.recipes[name]
        if not isinstance(text, Path) and ("\n" in text or not text.endswith(".toml")):
            return text
        try:
            return Path(text).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PluginError(f"Recipe '{name}' of {self} cannot be read: {error}") from error

    def __str__(self) -> str:
        return f"{self.distribution} (plugin '{self.name}')"


class ClashError(PluginError):
    """A plugin declares names that another one has.

    Attributes:
        owners: of each such name, the plugin that has it.
    """

    def __init__(self, plugin: Plugin, owners: Mapping[Key, Plugin]) -> None:
        self.owners = owners
        key = min(owners)
        more = f" (and {len(owners) - 1} more)" if len(owners) > 1 else ""
        super().__init__(f"{clash(key, [str(owners[key]), str(plugin)])}{more}")


def recipes_of(offered: Mapping[str, str | Path] | Path) -> dict[str, str | Path]:
    """Returns name → TOML text or file of the recipes that a plugin offers; a folder offers each of its TOML files."""
    if isinstance(offered, Path):
        return {path.stem: path for path in sorted(offered.glob("*.toml"))}
    return dict(offered)


def declared(plugin: Plugin) -> list[Key]:
    """Returns every name that a plugin declares; raises PluginError where it declares nonsense, or a name twice."""
    for part in plugin.components:
        if not isinstance(part, Component):
            raise PluginError(f"it offers {part!r}, which is not a Component")
    for name, text in plugin.recipes.items():
        if not isinstance(name, str) or not isinstance(text, (str, Path)):
            raise PluginError(f"recipe {name!r} must be TOML text or the path of a TOML file, found {text!r}")
    keys = [*((part.kind, part.name) for part in plugin.components), *(("recipe", name) for name in plugin.recipes)]
    for key in keys:
        if keys.count(key) > 1:
            raise PluginError(f"it declares {key[0]} '{key[1]}' twice")
    return keys


def clash(key: Key, claimants: Iterable[str]) -> str:
    """Returns what to say of a name that several plugins declare."""
    return (
        f"{key[0]} '{key[1]}' is declared by both {' and '.join(claimants)}: "
        "rename or uninstall one, or set EBMKIT_PLUGINS to the entry points you want."
    )

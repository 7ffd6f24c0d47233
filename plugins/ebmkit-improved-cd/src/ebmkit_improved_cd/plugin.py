"""What this package offers to ebmkit. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files

from ebmkit.plugins.component import Component
from ebmkit.plugins.hookspecs import hookimpl
from ebmkit_improved_cd.parts import COMPONENTS


@hookimpl
def ebmkit_components() -> Iterable[Component]:
    """Returns the objective `improved-cd`, the buffer `reservoir` and the wrapper `multiscale`."""
    return COMPONENTS


@hookimpl
def ebmkit_recipes() -> Mapping[str, str]:
    """Returns the text of every recipe that lies in `recipes/`, by the name of its file."""
    found = [entry for entry in (files("ebmkit_improved_cd") / "recipes").iterdir() if entry.name.endswith(".toml")]
    return {entry.name.removesuffix(".toml"): entry.read_text(encoding="utf-8") for entry in found}

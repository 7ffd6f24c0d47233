"""What this package offers to ebmkit. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files

from ebmkit.plugins.component import Component
from ebmkit.plugins.hookspecs import hookimpl
from ebmkit_clel.parts import COMPONENTS


@hookimpl
def ebmkit_components() -> Iterable[Component]:
    """Returns the wrapper `latent-head` and the objective `clel`."""
    return COMPONENTS


@hookimpl
def ebmkit_recipes() -> Mapping[str, str]:
    """Returns the text of every recipe that lies in `recipes/`, by the name of its file."""
    found = [entry for entry in (files("ebmkit_clel") / "recipes").iterdir() if entry.name.endswith(".toml")]
    return {entry.name.removesuffix(".toml"): entry.read_text(encoding="utf-8") for entry in found}

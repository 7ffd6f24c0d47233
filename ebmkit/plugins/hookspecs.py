"""The four hooks of a plugin. Its entry point, in the group `ebmkit`, names a module or object that implements some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import typer

    from ebmkit.plugins.component import Component

hookspec = pluggy.HookspecMarker("ebmkit")
hookimpl = pluggy.HookimplMarker("ebmkit")


@hookspec
def ebmkit_components() -> Iterable[Component]:
    """Returns the parts that the plugin offers."""
    raise NotImplementedError


@hookspec
def ebmkit_recipes() -> Mapping[str, str]:
    """Returns recipe name → TOML text, or the path of a TOML file."""
    raise NotImplementedError


@hookspec
def ebmkit_commands(app: typer.Typer) -> None:
    """Adds commands to the command line."""


@hookspec
def ebmkit_on_step(report: Any) -> None:
    """Sees the report of each logged training step: `step`, `losses`, `metrics` and, read-only, the phases."""

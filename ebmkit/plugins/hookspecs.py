"""The hooks of a plugin. Its entry point, in the group `ebmkit`, names a module or object that implements some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import typer

    from ebmkit.plugins.component import Component
    from ebmkit.protocols.observer import Ending, LoggedStep, RunInfo

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
def ebmkit_run_start(run: RunInfo) -> None:
    """Sees a run before its first step: a new one, or one that goes on."""


@hookspec
def ebmkit_on_step(report: LoggedStep, run: RunInfo) -> None:
    """Sees the report of each logged training step: `values`, `losses`, `metrics` and, read-only, the phases."""


@hookspec
def ebmkit_run_end(run: RunInfo, ending: Ending) -> None:
    """Sees the end of a run that was begun, however it ended."""

"""The four hooks of a plugin. Its entry point, in the group `ebmkit`, names a module or object that implements some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

import pluggy

if TYPE_CHECKING:
    import typer
    from torch import Tensor

    from ebmkit.plugins.component import Component
    from ebmkit.protocols.objective import Phases

hookspec = pluggy.HookspecMarker("ebmkit")
hookimpl = pluggy.HookimplMarker("ebmkit")


class Report(Protocol):
    """What a hook sees of a training step; `training.step.StepReport` is one. Numbers are tensors on the device."""

    @property
    def step(self) -> int: ...  # noqa: D102
    @property
    def losses(self) -> Mapping[str, Tensor]: ...  # noqa: D102
    @property
    def metrics(self) -> Mapping[str, Tensor]: ...  # noqa: D102
    @property
    def phases(self) -> Phases: ...  # noqa: D102


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
def ebmkit_on_step(report: Report) -> None:
    """Sees the report of each logged training step: `step`, `losses`, `metrics` and, read-only, the phases."""

"""The hooks of a plugin. Its entry point, in the group `ebmkit`, names a module or object that implements some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

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


class RunInfo(Protocol):
    """What a hook is told of the run; `runs.observers.Described` is one."""

    @property
    def name(self) -> str:
        """Name of its directory, "run" where it has none."""

    @property
    def directory(self) -> Path | None:
        """Of the run; None where it is kept in memory."""

    @property
    def recipe(self) -> Any:
        """The resolved `Recipe`, with every "auto" decided."""

    @property
    def first_step(self) -> int:
        """The first training step that is made now: 1, or later where a run goes on."""

    @property
    def steps(self) -> int:
        """The training steps of the whole run."""


class Ending(Protocol):
    """How a run ended; `runs.observers.Ended` is one."""

    @property
    def how(self) -> Literal["finished", "interrupted", "failed"]:
        """In one word."""

    @property
    def step(self) -> int:
        """The last training step that was made."""

    @property
    def error(self) -> BaseException | None:
        """Why it did not finish."""


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
def ebmkit_on_step(report: Report, run: RunInfo) -> None:
    """Sees the report of each logged training step: `step`, `losses`, `metrics` and, read-only, the phases."""


@hookspec
def ebmkit_run_end(run: RunInfo, ending: Ending) -> None:
    """Sees the end of a run that was begun, however it ended."""

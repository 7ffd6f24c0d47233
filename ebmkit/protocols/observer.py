"""What an observer promises: it is told of a run, writes down or shows what it is told, and changes nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from ebmkit.protocols.objective import Phases


class RunInfo(Protocol):
    """What an observer is told of the run; `runs.told.Described` is one."""

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


class LoggedStep(Protocol):
    """What an observer is told of a logged training step; `runs.told.Reported` is one."""

    @property
    def step(self) -> int:
        """Of training, from 1."""

    @property
    def values(self) -> Mapping[str, float]:
        """The numbers of the step as `metrics.jsonl` holds them: "loss.cd.gap", "chain_accept_rate"."""

    @property
    def losses(self) -> Mapping[str, Tensor]:
        """Scalars on the device of the run."""

    @property
    def metrics(self) -> Mapping[str, Tensor]:
        """Scalars on the device of the run."""

    @property
    def phases(self) -> Phases:
        """Data and chains of the step; read them, and change nothing."""


class Ending(Protocol):
    """How a run ended; `runs.told.Ended` is one."""

    @property
    def how(self) -> Literal["finished", "interrupted", "failed"]:
        """In one word."""

    @property
    def step(self) -> int:
        """The last training step that was made."""

    @property
    def error(self) -> BaseException | None:
        """Why it did not finish."""


class Alarmed(Protocol):
    """A warning of the alarms; `training.alarms.Finding` is one."""

    @property
    def step(self) -> int:
        """At which it was found."""

    @property
    def name(self) -> str:
        """Of the alarm, as in the table of alarms."""

    @property
    def text(self) -> str:
        """What was found, what it means and what to change."""


@runtime_checkable
class Observer(Protocol):
    """Is told of a run. Where one of its methods raises, the run ends, at a checkpoint, and names the observer."""

    def start(self, run: RunInfo) -> None:
        """Is called before the first step, of a new run and of one that goes on."""
        ...

    def step(self, report: LoggedStep, run: RunInfo) -> None:
        """Is called after each logged step."""
        ...

    def end(self, run: RunInfo, ending: Ending) -> None:
        """Is called once, however the run ends, unless its `start` failed."""
        ...


@runtime_checkable
class SeesAlarms(Protocol):
    """An observer that is told the warnings of the alarms. One that stops a run is the error of its ending."""

    def alarm(self, found: Alarmed, run: RunInfo) -> None:
        """Is called for each warning."""
        ...


@runtime_checkable
class SeesPictures(Protocol):
    """An observer that is told of the pictures that a run draws into its directory."""

    def picture(self, path: Path, step: int, run: RunInfo) -> None:
        """Is called when a PNG file was written: "samples/step-00000500.png"."""
        ...


@runtime_checkable
class SeesEvaluations(Protocol):
    """An observer that is told what the metrics of a run found while it was trained."""

    def evaluation(self, found: Any, run: RunInfo) -> None:
        """Is called with each `ebmkit.Evaluation` that `[eval]` asks for."""
        ...

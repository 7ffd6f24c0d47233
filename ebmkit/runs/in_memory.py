"""A run that keeps nothing on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ebmkit.assembly.assemble import Assembly
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.runs.checkpoints.state import TrainingState
from ebmkit.runs.files.seal import Seal
from ebmkit.runs.watch.alarms import RunAlarms
from ebmkit.training.step import StepReport


class InMemory:
    """Keeps nothing beside the run itself."""

    saved_at = -1

    @contextmanager
    def opened(self, after: int, sealed: Mapping[str, Seal]) -> Iterator[None]:
        """Does nothing: the history of a run is in memory."""
        yield

    def enter(self, assembly: Assembly, alarms: RunAlarms) -> None:
        """Does nothing."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Does nothing."""

    def draw(self, state: TrainingState, report: StepReport) -> Sequence[Path]:
        """Draws nothing."""
        return ()

    def keep(self, state: TrainingState) -> None:
        """Does nothing."""

    def interrupted(self, state: TrainingState) -> str:
        """Returns where the weights are."""
        return "the network holds the weights of that step."

    def back_to(self, step: int) -> Saved:
        """There is nothing to go back to: `Rollbacks` refuses such runs."""
        raise AssertionError("a run in memory keeps no checkpoints")

"""What a run keeps on its way: on the disk, or nothing beside what is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from ebmkit.assembly.assemble import Assembly
from ebmkit.display.doing import doing
from ebmkit.runs import checkpoint
from ebmkit.runs.given import to_resume
from ebmkit.runs.logbook import Logbook
from ebmkit.runs.pictures import Pictures
from ebmkit.runs.state import TrainingState
from ebmkit.training.step import StepReport

Write = Callable[[int, Mapping[str, float]], None]
"""Writes down the values of a logged step."""


class Kept(Protocol):
    """What is kept of a run while it goes.

    Attributes:
        saved_at: step of the newest checkpoint, −1 before the first.
    """

    saved_at: int

    def opened(self, after: int) -> AbstractContextManager[Write]:
        """Within it, logged steps can be written; `after` is the step that the run goes on from."""
        ...

    def keep(self, state: TrainingState, report: StepReport) -> Sequence[Path]:
        """Keeps what is due after a step; returns the pictures that were drawn."""
        ...

    def interrupted(self, state: TrainingState) -> str:
        """Keeps what there is of an interrupted run, and returns how to go on."""
        ...


class InMemory:
    """Keeps nothing beside the run itself."""

    saved_at = -1

    @contextmanager
    def opened(self, after: int) -> Iterator[Write]:
        """Yields a function that does nothing: the history of a run is in memory."""
        yield lambda step, values: None

    def keep(self, state: TrainingState, report: StepReport) -> Sequence[Path]:
        """Does nothing."""
        return ()

    def interrupted(self, state: TrainingState) -> str:
        """Returns where the weights are."""
        return "the network holds the weights of that step."


class OnDisk:
    """Keeps log, checkpoints and pictures in a run directory."""

    def __init__(self, directory: Path, assembly: Assembly) -> None:
        self.directory, self.assembly, self.recipe = directory, assembly, assembly.recipe
        self.pictures = Pictures(directory, assembly)
        self.saved_at = -1

    @contextmanager
    def opened(self, after: int) -> Iterator[Write]:
        """Yields what appends to the log."""
        book = Logbook(self.directory, tensorboard=self.recipe.table("log").tensorboard, after=after)
        try:
            yield book.write
        finally:
            book.close()

    def keep(self, state: TrainingState, report: StepReport) -> Sequence[Path]:
        """Writes a checkpoint and pictures where they are due; returns the pictures."""
        steps = self.recipe.table("run").steps
        if state.step % self.recipe.table("checkpoint").every == 0 or state.step == steps:
            self.save(state)
        if state.step % self.recipe.table("pictures").every and state.step != steps:
            return ()
        doing("drawing pictures")
        averaged = state.averages.values.get("energy", {})
        return self.pictures.draw(report.step, report.phases, report.tuning, averaged)

    def save(self, state: TrainingState) -> Path:
        """Writes a checkpoint of everything the next step depends on."""
        doing("saving a checkpoint")
        self.saved_at = state.step
        keep = self.recipe.table("checkpoint").keep
        return checkpoint.save(self.directory / "checkpoints", state.saved(self.assembly.data), keep)

    def interrupted(self, state: TrainingState) -> str:
        """Writes a checkpoint and returns what goes on from it."""
        if self.saved_at != state.step:
            self.save(state)
        return f"a checkpoint is saved. Go on with: {to_resume(self.recipe, self.directory)}"

"""What a run keeps on its way: on the disk, or nothing beside what is in memory; see `in_memory.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ebmkit.assembly.assemble import Assembly
from ebmkit.display.doing import doing
from ebmkit.errors import RunError
from ebmkit.recipes.recipe import Recipe, to_toml
from ebmkit.runs.checkpoints import checkpoint, later
from ebmkit.runs.checkpoints.beside import Beside, drop_later
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.runs.checkpoints.finite import check_finite
from ebmkit.runs.checkpoints.shares import share_of
from ebmkit.runs.checkpoints.state import TrainingState
from ebmkit.runs.files.directory import write_text
from ebmkit.runs.files.lock import Lock
from ebmkit.runs.files.seal import Seal
from ebmkit.runs.given import to_resume
from ebmkit.runs.in_memory import InMemory
from ebmkit.runs.log.logbook import METRICS, Logbook
from ebmkit.runs.log.pictures import Pictures
from ebmkit.runs.log.pictures import is_due as pictures_due
from ebmkit.runs.watch.alarms import ALARMS, RunAlarms
from ebmkit.training.step import StepReport


class Kept(Protocol):
    """What is kept of a run while it goes.

    Attributes:
        saved_at: step of the newest checkpoint, −1 before the first.
    """

    saved_at: int

    def opened(self, after: int, sealed: Mapping[str, Seal]) -> AbstractContextManager[None]:
        """Within it, logged steps can be written.

        Args:
            after: step that the run goes on from.
            sealed: what its files were then.
        """
        ...

    def enter(self, assembly: Assembly, alarms: RunAlarms) -> None:
        """Goes on with the next stage of the run."""
        ...

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes down the values of a logged step."""
        ...

    def draw(self, state: TrainingState, report: StepReport) -> Sequence[Path]:
        """Draws what is due after a step, before what is kept of it; returns the pictures."""
        ...

    def keep(self, state: TrainingState) -> None:
        """Keeps what is due after a step."""
        ...

    def interrupted(self, state: TrainingState) -> str:
        """Keeps what there is of an interrupted run, and returns how to go on."""
        ...

    def back_to(self, step: int) -> Saved:
        """Returns a checkpoint that the run goes back to, and drops what was kept after it."""
        ...


class Share:
    """Keeps of one of several processes, not the first, what is its own: its rows of the buffer, its place in the data.

    Args:
        directory: of the run, which the first process writes.
        assembly: that is trained.
    """

    def __init__(self, directory: Path, assembly: Assembly) -> None:
        self.directory, self.assembly, self.recipe = directory, assembly, assembly.recipe
        self.saved_at = -1

    @contextmanager
    def opened(self, after: int, sealed: Mapping[str, Seal]) -> Iterator[None]:
        """Does nothing: the first process writes the log."""
        yield

    def enter(self, assembly: Assembly, alarms: RunAlarms) -> None:
        """Goes on with the parts of the stage."""
        self.assembly, self.recipe = assembly, assembly.recipe

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Does nothing."""

    def draw(self, state: TrainingState, report: StepReport) -> Sequence[Path]:
        """Draws nothing."""
        return ()

    def keep(self, state: TrainingState) -> None:
        """Writes its share of a checkpoint where one is due."""
        if is_due(state.step, self.recipe):
            self._save(state)

    def interrupted(self, state: TrainingState) -> str:
        """Writes its share of a checkpoint; the first process says how to go on."""
        if self.saved_at != state.step and state.step:
            self._save(state)
        return ""

    def back_to(self, step: int) -> Saved:
        """There is nothing to go back to: `Rollbacks` refuses such runs."""
        raise AssertionError("several processes do not go back")

    def _save(self, state: TrainingState) -> None:
        saved, world = state.saved(self.assembly.data), self.assembly.parts.world
        check_finite(saved, state.open)
        checkpoint.save_share(self.directory / "checkpoints", state.step, share_of(saved, world), world)
        self.saved_at = state.step


def is_due(step: int, recipe: Recipe) -> bool:
    """Whether a checkpoint is due after a step."""
    return step > 0 and (step % recipe.table("checkpoint").every == 0 or step == recipe.table("run").steps)


class OnDisk:
    """Keeps log, checkpoints and pictures in a run directory.

    Args:
        directory: of the run.
        assembly: that is trained.
        alarms: of the run, whose findings and rollbacks are kept too.
        lock: says whether the directory is still ours.
        note: is told of damage.
    """

    def __init__(
        self, directory: Path, assembly: Assembly, alarms: RunAlarms, lock: Lock | None, note: Callable[[str], None]
    ) -> None:
        self.directory, self.assembly, self.recipe = directory, assembly, assembly.recipe
        self.alarms, self.lock, self.note = alarms, lock, note
        self.pictures, self.beside = Pictures(directory, assembly), Beside(directory)
        self.saved_at = -1

    @contextmanager
    def opened(self, after: int, sealed: Mapping[str, Seal]) -> Iterator[None]:
        """Opens the log."""
        tensorboard, found = self.recipe.table("log").tensorboard, sealed.get(METRICS)
        self.book = Logbook(self.directory, tensorboard=tensorboard, after=after, sealed=found, note=self.note)
        try:
            yield
        finally:
            self.book.close()

    def enter(self, assembly: Assembly, alarms: RunAlarms) -> None:
        """Goes on with the parts of the stage, and writes down what was decided for it."""
        self._check_ours()
        self.assembly, self.recipe, self.alarms = assembly, assembly.recipe, alarms
        self.pictures = Pictures(self.directory, assembly)
        write_text(self.directory / "recipe.toml", to_toml(assembly.recipe))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Appends to the log."""
        self._check_ours()
        self.book.write(step, values)

    def draw(self, state: TrainingState, report: StepReport) -> Sequence[Path]:
        """Draws pictures where they are due, and returns them."""
        if not pictures_due(state.step, self.recipe):
            return ()
        self._check_ours()
        doing("drawing pictures")
        averaged = state.averages.values.get("energy", {})
        return self.pictures.draw(report.step, report.phases, report.tuning, averaged)

    def keep(self, state: TrainingState) -> None:
        """Writes a checkpoint where it is due."""
        if is_due(state.step, self.recipe) or (not state.step and self.alarms.rollbacks.wants_start):
            self.save(state)

    def save(self, state: TrainingState) -> Path:
        """Writes a checkpoint of everything the next step depends on.

        Raises:
            DivergenceError: something of it is not finite; nothing was written.
        """
        self._check_ours()
        doing("saving a checkpoint")
        rollbacks = self.alarms.rollbacks
        rollbacks.saves(state.step)
        saved = state.saved(self.assembly.data)
        check_finite(saved, state.open)
        saved = replace(saved, beside=self._seals(), alarms=self.alarms.as_json())
        keep = self.recipe.table("checkpoint").keep
        world = self.assembly.parts.world
        path = checkpoint.save(self.directory / "checkpoints", saved, keep, rollbacks.needs, world)
        self.saved_at = state.step
        return path

    def interrupted(self, state: TrainingState) -> str:
        """Writes a checkpoint, where there is anything to keep, and returns what goes on from it."""
        if self.saved_at != state.step and state.step:
            self.save(state)
        done = "a checkpoint is saved" if state.step else "there was nothing to save yet"
        return f"{done}. Go on with: {to_resume(self.recipe, self.directory)}"

    def back_to(self, step: int) -> Saved:
        """Returns a checkpoint that the run goes back to; log, pictures and checkpoints after it are dropped."""
        self._check_ours()
        folder = self.directory / "checkpoints"
        saved = checkpoint.load(folder / f"step-{step:08d}")
        self.book.back_to(step, saved.beside.get(METRICS))
        try:
            later.drop_later(folder, step)
            drop_later(self.directory, step)
        except OSError as error:
            raise RunError(f"{self.directory} could not be cleared: {error}.") from error
        self.beside, self.saved_at = Beside(self.directory), step
        return saved

    def _seals(self) -> dict[str, Seal]:
        try:
            found = self.beside.seals()
        except OSError as error:
            raise RunError(f"A file of {self.directory} cannot be read back: {error}.") from error
        return {**found, METRICS: self.book.lines.seal(), ALARMS: self.alarms.lines.seal()}

    def _check_ours(self) -> None:
        """Raises RunError where the directory is no longer that of this run."""
        if self.lock is not None and not self.lock.is_held():
            raise RunError(
                f"{self.directory} is not the directory of this run any more: {self.lock.lost()}. Nothing more is "
                "written. If it was renamed, go on with: ebmkit resume NEW_NAME"
            )


def kept_of(
    directory: Path | None, assembly: Assembly, alarms: RunAlarms, lock: Lock | None, note: Callable[[str], None]
) -> Kept:
    """Returns what keeps a run of this process: nothing, its share of the files, or all of them."""
    if directory is None:
        return InMemory()
    if not assembly.parts.world.is_first:
        return Share(directory, assembly)
    return OnDisk(directory, assembly, alarms, lock, note)

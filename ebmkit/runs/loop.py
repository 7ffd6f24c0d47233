"""The loop around `train_step`: batches, updates, averages, and what is written on the way."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from math import isnan
from pathlib import Path

import torch
from torch import Tensor

from ebmkit.assembly.assemble import Assembly, assemble
from ebmkit.display.doing import doing
from ebmkit.display.progress import Progress, Watcher
from ebmkit.errors import DivergenceError, RunError
from ebmkit.plugins.host import Host, host
from ebmkit.recipes.recipe import Recipe
from ebmkit.recipes.stage import begins_after, next_stage, stage_name, total_steps
from ebmkit.runs.checkpoints import taking
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.runs.checkpoints.state import TrainingState
from ebmkit.runs.files.lock import Lock
from ebmkit.runs.files.seal import Seal
from ebmkit.runs.given import to_resume
from ebmkit.runs.interrupt import Interrupted, Stop, stoppable
from ebmkit.runs.kept import Kept, kept_of
from ebmkit.runs.launched import Followed
from ebmkit.runs.log.pictures import is_due
from ebmkit.runs.session import going_on
from ebmkit.runs.watch.alarms import Note, RunAlarms
from ebmkit.runs.watch.judging import Judging
from ebmkit.runs.watch.observers import Observers, Watched, observers_of
from ebmkit.runs.watch.told import Described
from ebmkit.samplers.adaptation import for_evaluation
from ebmkit.training.batches import Batches
from ebmkit.training.step import StepReport, train_step
from ebmkit.views.frozen import converge_parametrisations

_log = logging.getLogger(__name__)


class Trainer:
    """Trains the parts of an assembly.

    Args:
        directory: of the run; None keeps everything in memory.
        assembly: with its data set.
        watch: is told of every step.
        observers: see its start, its logged steps and its end; unset, those of all plugins and of the recipe.
        note: is told the warnings of the alarms; unset, they are logged.
        lock: of the directory; see `session.session`.
    """

    def __init__(
        self,
        directory: Path | None,
        assembly: Assembly,
        watch: Watcher | None = None,
        observers: Observers | None = None,
        note: Note | None = None,
        lock: Lock | None = None,
    ) -> None:
        self.directory = directory
        self.watch = watch or (lambda progress: None)
        self.world = assembly.parts.world
        if not self.world.is_first:
            watch, note, observers = None, lambda text: None, Observers(Host())  # the first one says and shows all
        self.observers = observers or Observers(host(), observers_of(assembly))
        self.note, self._alarmed, self.told = note or _log.warning, note, note or _log.info
        self.history: list[Mapping[str, float]] = []
        self.sealed: Mapping[str, Seal] = {}
        self._data = 0
        self._enter(assembly)
        self.kept: Kept = kept_of(directory, assembly, self.alarms, lock, self.note)

    def _enter(self, assembly: Assembly) -> None:
        """Gets ready what belongs to a run, or to one stage of it."""
        self.assembly, self.recipe, self.config = assembly, assembly.recipe, assembly.recipe.table("run")
        doing("getting the optimisers ready")  # with the first one, torch imports its compiler
        self.state = TrainingState(assembly.parts, self.recipe)
        self.alarms = RunAlarms(assembly, self._alarmed, self.directory if self.world.is_first else None)
        self.judging = Judging(assembly, self.directory, self.told)
        self._set_out()

    def take(self, saved: Saved) -> None:
        """Goes on from a checkpoint, or begins a stage with what the stage before it left.

        Raises:
            CheckpointError: it belongs to another recipe.
        """
        inherits = saved.stage != self.state.stage
        (self.alarms.inherit if inherits else self.alarms.take)(saved.alarms)
        self._set_out()
        (self.state.inherit if inherits else self.state.take)(saved)
        self.kept.saved_at, self.sealed = saved.step, saved.beside

    def train(self) -> None:
        """Makes the steps that are left.

        Raises:
            RunError: on an interruption, after saving a checkpoint where there is a directory.
        """
        first, steps = self.state.step, total_steps(self.recipe)
        self._begun = time.monotonic()
        doing(f"making step {first + 1}")
        run = Described(directory=self.directory, recipe=self.recipe, first_step=first + 1, steps=steps)
        with (
            going_on(self._how_to_go_on),
            self.kept.opened(first, self.sealed),
            self.observers.watching(run, lambda: self.state.step) as watched,
            stoppable() as stop,
            stop.stepping(),
        ):
            stop.after(self.config.max_minutes)
            self.alarms.begin(first, self.sealed)
            if not first:
                self.kept.keep(self.state)
            self._make_steps(watched, stop)
            while (following := next_stage(self.recipe)) is not None:
                left = replace(self.state.saved(self.assembly.data, in_all=True), alarms=self.alarms.as_json())
                self._begin(following, left)
                self._make_steps(watched, stop)
            self._any(watched, False)

    def _make_steps(self, watched: Watched, stop: Stop) -> None:
        """Makes the steps that are left of a run, or of one stage of it."""
        while self.state.step < self.config.steps:
            if self._any(watched, stop.asked()):
                raise self._interrupted(stop)
            try:
                report = self._step_told(watched, stop)
            except DivergenceError as error:
                self._go_back(error)
                continue
            if self.parts.sharding is not None and is_due(self.state.step, self.recipe):
                self.parts.refresh_view()  # together: the first process draws alone
            for picture in self.kept.draw(self.state, report):
                watched.picture(picture, self.state.step)
            if (found := self.judging.look(self.state)) is not None:
                watched.evaluation(found)
            self.kept.keep(self.state)  # the last of all: what came before it is not made again

    def _begin(self, stage: Recipe, left: Saved) -> None:
        """Begins a stage, with parts of its own, from what the one before it left."""
        lines = self.alarms.lines
        assembly = assemble(stage, dataset=self.assembly.dataset, world=self.world)
        if self._alarmed is not None and assembly.choice is not None:
            self._alarmed(f"stage {stage_name(stage)}: engine = {assembly.choice.engine}: {assembly.choice.reason}")
        self._enter(assembly)
        self.alarms.lines = lines
        self.kept.enter(assembly, self.alarms)
        self.take(left)

    def finished(self) -> TrainingState:
        """Returns the state of a trained run, its modules with their averaged weights and its steps adapted for good.

        Training cannot go on from it.
        """
        state = self.state
        for name, module in state.owners.items():
            taking.take(module, state.averages.values[name], name)
            converge_parametrisations(module)
        state.tuning = for_evaluation(state.tuning)
        return state

    def _step_told(self, watched: Watched, stop: Stop) -> StepReport:
        """Makes a step, logs it and lets the alarms look at it."""
        report = self._step(self.state.step + 1)
        values = self._log(report, self.recipe.table("log").every)
        if values:
            self.kept.write(report.step, values)
            watched.step(report, values)
        try:
            self._tell(values, time.monotonic() - self._begun)
        except OSError:  # its terminal, or whoever read its output, is gone
            stop.why = stop.why or "the end of its output"
        for alarm in self.alarms.look(report):
            watched.alarm(alarm)
        return report

    def _step(self, step: int) -> StepReport:
        state, norms = self.state, dict[str, Tensor]()

        def update(losses: Mapping[str, Tensor]) -> None:
            norms.update(state.optimisers.update(losses, step))

        batch = self.batches.batch(step)
        with self.alarms.explaining(step, batch):
            report = train_step(self.parts, batch, step, state.tuning, update)
        state.averages.update(step)
        state.tuning, state.step = report.tuning, step
        self._data += self.config.batch_size
        return replace(report, metrics={**report.metrics, **norms})

    def _log(self, report: StepReport, every: int) -> Mapping[str, float]:
        if report.step % every and report.step not in (begins_after(self.recipe) + 1, self.config.steps):
            return {}
        both = {**{f"loss.{k}": v for k, v in report.losses.items()}, **report.metrics}
        numbers = self.world.mean(torch.stack([v.float() for v in both.values()]).tolist())
        found = zip(both, numbers, strict=True)
        values = {name: value for name, value in found if not isnan(value)}  # a rate without trials has none
        if self.recipe.stage is not None:
            values["stage"] = self.recipe.stage + 1.0
        if self.alarms.rollbacks.made:
            values["rollbacks"] = float(len(self.alarms.rollbacks.made))
        self.history.append({"step": report.step, **values})
        return values

    def _tell(self, values: Mapping[str, float], seconds: float) -> None:
        made, total = self.state.step, total_steps(self.recipe)
        self.watch(Progress(step=made, steps=total, values=values, seconds=seconds, images=self._data))

    def _go_back(self, error: DivergenceError) -> None:
        """Goes back to the last healthy checkpoint; raises the error where the run may not."""
        saved = self.kept.back_to(self.alarms.go_back(self.state.step, error))
        if saved.stage == self.state.stage:
            self.alarms.take(saved.alarms, going_back=True)
            self._set_out()
            self.state.take(saved)
        else:  # it was written where this stage begins
            self._begin(self.recipe, replace(saved, alarms=self.alarms.as_json()))
        self.history = [entry for entry in self.history if entry["step"] <= saved.step]

    def _set_out(self) -> None:
        """Takes seed and learning rates as they are from this step on."""
        rollbacks, dataset = self.alarms.rollbacks, self.assembly.dataset
        assert dataset is not None, "an assembly without data cannot be trained"
        self.parts = replace(self.assembly.parts, seed=rollbacks.seed)
        size, world = self.config.batch_size, self.world
        self.batches = Batches(dataset, batch_size=size, seed=rollbacks.seed, device=self.parts.device, world=world)
        self.state.batches = self.batches
        self.state.optimisers.rate = rollbacks.rate

    def _any(self, watched: Watched, asked: bool) -> bool:
        """Returns whether any process is asked to stop; where an observer failed, all save and the run ends."""
        stops, fails = self.world.any(asked, bool(watched.failures))
        if fails:
            self.kept.interrupted(self.state)
            watched.check()
            raise Followed(RunError.exit_status)
        return stops

    def _interrupted(self, stop: Stop) -> RunError:
        how = self.kept.interrupted(self.state)
        stop.why = next(filter(None, self.world.said_by_all(stop.why)))  # any of them may have heard it
        if not self.world.is_first:
            return Followed(stop.exit_status)
        made = f"after step {self.state.step} of {total_steps(self.recipe)}"
        return Interrupted(f"Interrupted {made} ({stop.why}); {how}", stop.exit_status)

    def _how_to_go_on(self) -> str:
        begun = f"It was making step {self.state.step + 1}."
        return begun if self.directory is None else f"{begun} Go on with: {to_resume(self.recipe, self.directory)}"

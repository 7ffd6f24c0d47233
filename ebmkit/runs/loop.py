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

from ebmkit.assembly.assemble import Assembly
from ebmkit.display.doing import doing
from ebmkit.display.progress import Progress, Watcher
from ebmkit.plugins.host import host
from ebmkit.runs import checkpoint
from ebmkit.runs.alarms import Note, RunAlarms
from ebmkit.runs.checkpoint import Saved
from ebmkit.runs.interrupt import Interrupted, interruptible
from ebmkit.runs.judging import Judging
from ebmkit.runs.kept import InMemory, Kept, OnDisk
from ebmkit.runs.observers import Observers, observers_of
from ebmkit.runs.state import TrainingState
from ebmkit.runs.told import Described
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
    """

    def __init__(
        self,
        directory: Path | None,
        assembly: Assembly,
        watch: Watcher | None = None,
        observers: Observers | None = None,
        note: Note | None = None,
    ) -> None:
        self.directory, self.assembly = directory, assembly
        self.recipe, self.config = assembly.recipe, assembly.recipe.table("run")
        assert assembly.dataset is not None, "an assembly without data cannot be trained"
        self.batches = Batches(
            assembly.dataset, batch_size=self.config.batch_size, seed=self.config.seed, device=assembly.parts.device
        )
        self.watch = watch or (lambda progress: None)
        self.observers = observers or Observers(host(), observers_of(assembly))
        doing("getting the optimisers ready")  # with the first one, torch imports its compiler
        self.state = TrainingState(assembly.parts, self.recipe)
        self.kept: Kept = InMemory() if directory is None else OnDisk(directory, assembly)
        self.alarms = RunAlarms(assembly, note, directory)
        self.judging = Judging(assembly, directory, note or _log.info)
        self.history: list[Mapping[str, float]] = []

    def take(self, saved: Saved) -> None:
        """Goes on from a checkpoint; raises CheckpointError where it belongs to another recipe."""
        self.state.take(saved)
        self.kept.saved_at = saved.step

    def train(self) -> None:
        """Makes the steps that are left.

        Raises:
            RunError: on an interruption, after saving a checkpoint where there is a directory.
        """
        state, every = self.state, self.recipe.table("log").every
        begun, first = time.monotonic(), state.step
        doing(f"making step {first + 1}")
        run = Described(directory=self.directory, recipe=self.recipe, first_step=first + 1, steps=self.config.steps)
        with (
            self.kept.opened(state.step) as write,
            self.observers.watching(run, lambda: state.step) as watched,
            interruptible() as stopped,
        ):
            while state.step < self.config.steps:
                report = self._step(state.step + 1)
                values = self._log(report, every)
                if values:
                    write(report.step, values)
                    watched.step(report, values)
                self._tell(values, time.monotonic() - begun, state.step - first)
                for alarm in self.alarms.look(report):
                    watched.alarm(alarm)
                for picture in self.kept.keep(state, report):
                    watched.picture(picture, state.step)
                if (found := self.judging.look(state)) is not None:
                    watched.evaluation(found)
                watched.check(lambda: self.kept.interrupted(state))
                if stopped():
                    raise self._interrupted()

    def finished(self) -> TrainingState:
        """Returns the state of a trained run, its modules with their averaged weights and its steps adapted for good.

        Training cannot go on from it.
        """
        state = self.state
        for name, module in state.owners.items():
            checkpoint.take(module, state.averages.values[name], name)
            converge_parametrisations(module)
        state.tuning = for_evaluation(state.tuning)
        return state

    def _step(self, step: int) -> StepReport:
        state, norms = self.state, dict[str, Tensor]()

        def update(losses: Mapping[str, Tensor]) -> None:
            norms.update(state.optimisers.update(losses, step))

        batch = self.batches.batch(step)
        with self.alarms.explaining(step, batch):
            report = train_step(self.assembly.parts, batch, step, state.tuning, update)
        state.averages.update(step)
        state.tuning, state.step = report.tuning, step
        return replace(report, metrics={**report.metrics, **norms})

    def _log(self, report: StepReport, every: int) -> Mapping[str, float]:
        if report.step % every and report.step not in (1, self.config.steps):
            return {}
        both = {**{f"loss.{k}": v for k, v in report.losses.items()}, **report.metrics}
        values = dict(zip(both, torch.stack([v.float() for v in both.values()]).tolist(), strict=True))
        values = {name: value for name, value in values.items() if not isnan(value)}  # a rate without trials has none
        self.history.append({"step": report.step, **values})
        return values

    def _tell(self, values: Mapping[str, float], seconds: float, steps: int) -> None:
        images = steps * self.config.batch_size
        made, total = self.state.step, self.config.steps
        self.watch(Progress(step=made, steps=total, values=values, seconds=seconds, images=images))

    def _interrupted(self) -> Interrupted:
        how = self.kept.interrupted(self.state)
        return Interrupted(f"Interrupted after step {self.state.step} of {self.config.steps}; {how}")

"""The loop around `train_step`: batches, updates, averages, and what is written on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from pathlib import Path

import torch
from torch import Tensor

from ebmkit.assembly.assemble import Assembly
from ebmkit.errors import RunError
from ebmkit.runs import checkpoint
from ebmkit.runs.checkpoint import Saved
from ebmkit.runs.interrupt import interruptible
from ebmkit.runs.logbook import Logbook
from ebmkit.runs.observers import Observer
from ebmkit.runs.pictures import Pictures
from ebmkit.runs.state import TrainingState
from ebmkit.training.batches import Batches
from ebmkit.training.step import StepReport, train_step


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a watcher sees of each step.

    Attributes:
        step: training step, from 1.
        steps: of the whole run.
        values: losses and metrics of logged steps, else empty.
        seconds: since the start of this call.
        images: positives scored since then.
    """

    step: int
    steps: int
    values: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    images: int = 0


Watcher = Callable[[Progress], None]


class Trainer:
    """Trains the parts of an assembly into a run directory.

    Args:
        directory: of the run.
        assembly: with its data set.
        watch: is told of every step.
        observers: are shown the report of every logged step.
    """

    def __init__(
        self, directory: Path, assembly: Assembly, watch: Watcher | None = None, observers: Sequence[Observer] = ()
    ) -> None:
        self.directory, self.assembly = directory, assembly
        self.recipe, self.config = assembly.recipe, assembly.recipe.table("run")
        assert assembly.dataset is not None, "an assembly without data cannot be trained"
        self.batches = Batches(
            assembly.dataset, batch_size=self.config.batch_size, seed=self.config.seed, device=assembly.parts.device
        )
        self.watch, self.observers = watch or (lambda progress: None), tuple(observers)
        self.state = TrainingState(assembly.parts, self.recipe)
        self.pictures = Pictures(directory, assembly)
        self.saved_at = -1

    def take(self, saved: Saved) -> None:
        """Goes on from a checkpoint; raises CheckpointError where it belongs to another recipe."""
        self.state.take(saved)
        self.saved_at = saved.step

    def train(self) -> None:
        """Makes the steps that are left; raises RunError on an interruption, after saving a checkpoint."""
        state, log = self.state, self.recipe.table("log")
        book = Logbook(self.directory, tensorboard=log.tensorboard, after=state.step)
        begun, first = time.monotonic(), state.step
        try:
            with interruptible() as stopped:
                while state.step < self.config.steps:
                    report = self._step(state.step + 1)
                    values = self._log(report, book, log.every)
                    self._tell(values, time.monotonic() - begun, state.step - first)
                    self._keep(report)
                    if stopped():
                        raise self._interrupted()
        finally:
            book.close()

    def save(self) -> Path:
        """Writes a checkpoint of everything the next step depends on."""
        self.saved_at = self.state.step
        keep = self.recipe.table("checkpoint").keep
        return checkpoint.save(self.directory / "checkpoints", self.state.saved(self.assembly.data), keep)

    def _step(self, step: int) -> StepReport:
        state, norms = self.state, dict[str, Tensor]()

        def update(losses: Mapping[str, Tensor]) -> None:
            norms.update(state.optimisers.update(losses, step))

        report = train_step(self.assembly.parts, self.batches.batch(step), step, state.tuning, update)
        state.averages.update(step)
        state.tuning, state.step = report.tuning, step
        return replace(report, metrics={**report.metrics, **norms})

    def _due(self, every: int) -> bool:
        return self.state.step % every == 0 or self.state.step == self.config.steps

    def _log(self, report: StepReport, book: Logbook, every: int) -> Mapping[str, float]:
        if not (self._due(every) or report.step == 1):
            return {}
        for observer in self.observers:
            observer(report)
        both = {**{f"loss.{k}": v for k, v in report.losses.items()}, **report.metrics}
        values = dict(zip(both, torch.stack([v.float() for v in both.values()]).tolist(), strict=True))
        values = {name: value for name, value in values.items() if not isnan(value)}  # a rate without trials has none
        book.write(report.step, values)
        return values

    def _tell(self, values: Mapping[str, float], seconds: float, steps: int) -> None:
        images = steps * self.config.batch_size
        made, total = self.state.step, self.config.steps
        self.watch(Progress(step=made, steps=total, values=values, seconds=seconds, images=images))

    def _keep(self, report: StepReport) -> None:
        if self._due(self.recipe.table("checkpoint").every):
            self.save()
        if self._due(self.recipe.table("pictures").every):
            averaged = self.state.averages.values.get("energy", {})
            self.pictures.draw(report.step, report.phases, report.tuning, averaged)

    def _interrupted(self) -> RunError:
        if self.saved_at != self.state.step:
            self.save()
        return RunError(
            f"Interrupted after step {self.state.step} of {self.config.steps}; a checkpoint is saved. "
            f"Go on with: ebmkit resume {self.directory}"
        )

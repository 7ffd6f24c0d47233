"""The loop around `train_step`: batches, updates, averages, the logbook, pictures and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import isnan
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebmkit.assembly.assemble import Assembly
from ebmkit.assembly.model import in_data_range
from ebmkit.data.spec import DataSpec
from ebmkit.errors import CheckpointError, PluginError, RunError
from ebmkit.evaluation.pictures import save_picture
from ebmkit.plugins.host import host
from ebmkit.plugins.loading import describe
from ebmkit.runs import checkpoint
from ebmkit.runs.checkpoint import Saved
from ebmkit.runs.interrupt import interruptible
from ebmkit.runs.logbook import Logbook
from ebmkit.samplers.warmup import warming
from ebmkit.training.batches import Batches
from ebmkit.training.ema import Averages
from ebmkit.training.monitor import sampler_figures
from ebmkit.training.optim import Optimisers, load_optimiser_tensors, optimiser_tensors
from ebmkit.training.step import Parts, StepReport, train_step


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
    """Trains the parts of an assembly into a run directory."""

    def __init__(self, directory: Path, assembly: Assembly, watch: Watcher | None) -> None:
        self.directory, self.assembly = directory, assembly
        self.parts: Parts = assembly.parts
        self.recipe = assembly.recipe
        self.config = self.recipe.table("run")
        assert assembly.dataset is not None, "an assembly without data cannot be trained"
        self.batches = Batches(
            assembly.dataset, batch_size=self.config.batch_size, seed=self.config.seed, device=self.parts.device
        )
        self.watch = watch or (lambda progress: None)
        owners = self.parts.owners()
        self.optimisers = Optimisers(owners, {name: self.recipe.owner(name) for name in owners}, self.config.steps)
        self.averages = Averages(owners, self.config)
        self.tuning: Mapping[str, Any] = warming(self.parts.sampler)
        self.done = 0
        self.saved_at = -1

    def take(self, saved: Saved) -> None:
        """Goes on from a checkpoint; raises CheckpointError where it belongs to another recipe."""
        DataSpec.from_json(saved.data)
        for name, module in self.parts.owners().items():
            if not {name, f"ema.{name}", f"optim.{name}"} <= saved.tensors.keys():
                raise CheckpointError(f"The checkpoint holds nothing of '{name}': it belongs to another recipe.")
            checkpoint.take(module, saved.tensors[name], name)
            checkpoint.take_tensors(self.averages.values[name], saved.tensors[f"ema.{name}"], f"ema.{name}")
            load_optimiser_tensors(self.optimisers.optimisers[name], saved.tensors[f"optim.{name}"])
        self.parts.buffer.load_state_dict(saved.tensors["buffer"])
        self.tuning = checkpoint.unflatten(
            {key: tensor.to(self.parts.device) for key, tensor in saved.tensors.get("tuning", {}).items()}
        )
        self.done = self.saved_at = saved.step

    def train(self) -> None:
        """Makes the steps that are left; raises RunError on an interruption, after saving a checkpoint."""
        log = self.recipe.table("log")
        book = Logbook(self.directory, tensorboard=log.tensorboard, after=self.done)
        begun, first = time.monotonic(), self.done
        try:
            with interruptible() as stopped:
                while self.done < self.config.steps:
                    report = self._step(self.done + 1)
                    self.done += 1
                    values = self._log(report, book, log.every)
                    self._tell(values, time.monotonic() - begun, self.done - first)
                    self._keep(report)
                    if stopped():
                        raise self._interrupted()
        finally:
            book.close()

    def _step(self, step: int) -> StepReport:
        batch = self.batches.batch(step)
        norms: dict[str, Tensor] = {}

        def update(losses: Mapping[str, Tensor]) -> None:
            norms.update(self.optimisers.update(losses, step))

        report = train_step(self.parts, batch, step, self.tuning, update)
        self.averages.update(step)
        self.tuning = report.tuning
        return replace(report, metrics={**report.metrics, **norms})

    def _tell(self, values: Mapping[str, float], seconds: float, steps: int) -> None:
        images = steps * self.config.batch_size
        self.watch(Progress(step=self.done, steps=self.config.steps, values=values, seconds=seconds, images=images))

    def _due(self, every: int) -> bool:
        return self.done % every == 0 or self.done == self.config.steps

    def _log(self, report: StepReport, book: Logbook, every: int) -> Mapping[str, float]:
        if not (self._due(every) or self.done == 1):
            return {}
        self._show_plugins(report)
        both = {**{f"loss.{k}": v for k, v in report.losses.items()}, **report.metrics}
        values = dict(zip(both, torch.stack([v.float() for v in both.values()]).tolist(), strict=True))
        values = {name: value for name, value in values.items() if not isnan(value)}  # a rate without trials has none
        book.write(self.done, values)
        return values

    def _show_plugins(self, report: StepReport) -> None:
        """Calls every plugin's `ebmkit_on_step`, the last loaded first as pluggy does; a failure names its plugin."""
        for hook in reversed(host().hook.ebmkit_on_step.get_hookimpls()):
            try:
                hook.function(*(report for _ in hook.argnames))
            except (Exception, SystemExit) as error:  # a stranger's hook may raise anything
                raise PluginError(
                    f"Plugin {hook.plugin_name}: its ebmkit_on_step failed at step {report.step}: {describe(error)}. "
                    f"Mend it, or leave it out with EBMKIT_PLUGINS, and go on with: ebmkit resume {self.directory}"
                ) from error

    def _keep(self, report: StepReport) -> None:
        pictures, kept = self.recipe.table("pictures"), self.recipe.table("checkpoint")
        if self._due(kept.every):
            self.save()
        if self._due(pictures.every) and report.phases.negative is not None:
            x = in_data_range(self.parts.coordinates, report.phases.negative)[: pictures.n]
            self._draw("step", lambda path: save_picture(x, self.assembly.data.value_range, path))
            for name, figure in sampler_figures(self.parts.sampler, self.tuning).items():
                self._draw(name, figure.savefig)

    def _draw(self, name: str, draw: Callable[[Path], object]) -> None:
        path = self.directory / "samples" / f"{name}-{self.done:08d}.png"
        try:
            path.parent.mkdir(exist_ok=True)
            draw(path)
        except OSError as error:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise RunError(
                f"{path} could not be written: {error}. Free some space and go on with: ebmkit resume {self.directory}"
            ) from error

    def save(self) -> Path:
        """Writes a checkpoint of everything the next step depends on."""
        owners = self.parts.owners()
        tensors = {
            **{name: module.state_dict() for name, module in owners.items()},
            **{f"ema.{name}": self.averages.values[name] for name in owners},
            **{f"optim.{name}": optimiser_tensors(self.optimisers.optimisers[name]) for name in owners},
            "buffer": self.parts.buffer.state_dict(),
            "tuning": checkpoint.flatten(self.tuning),
        }
        saved = Saved(step=self.done, tensors=tensors, data=self.assembly.data.as_json())
        self.saved_at = self.done
        return checkpoint.save(self.directory / "checkpoints", saved, self.recipe.table("checkpoint").keep)

    def _interrupted(self) -> RunError:
        if self.saved_at != self.done:
            self.save()
        return RunError(
            f"Interrupted after step {self.done} of {self.config.steps}; a checkpoint is saved. "
            f"Go on with: ebmkit resume {self.directory}"
        )

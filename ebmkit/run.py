"""A run: from a recipe to a directory, and back."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebmkit import checkpoint
from ebmkit.assemble import Assembly, Facts, assemble
from ebmkit.checkpoint import Saved
from ebmkit.errors import CheckpointError, RecipeError, RunError
from ebmkit.logbook import Logbook, environment
from ebmkit.optim import Averages, Optimisers, load_optimiser_tensors, optimiser_tensors
from ebmkit.phases import stream
from ebmkit.pictures import save_picture
from ebmkit.plugins import host
from ebmkit.recipe import Recipe, from_toml, read_recipe, to_toml
from ebmkit.resolver import Resolution, resolve
from ebmkit.step import Parts, StepReport, train_step


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a watcher sees of each step.

    Attributes:
        step: training step, from 1.
        steps: of the whole run.
        values: losses and metrics of logged steps, else empty.
        seconds: since the start of this call.
        images: positives scored since then.
        message: something that happened, "" mostly.
    """

    step: int
    steps: int
    values: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    images: int = 0
    message: str = ""


Watcher = Callable[[Progress], None]


@dataclass(kw_only=True)
class Run:
    """A trained or half-trained model with everything it was made of.

    Attributes:
        directory: of the run.
        recipe: resolved.
        energy: with its averaged weights.
        sampler: as in training.
        objectives: by name, with their averaged weights.
        coordinates: in order.
        facts: event shape, value range, classes of the data.
        step: training steps made.
    """

    directory: Path
    recipe: Recipe
    energy: Any
    sampler: Any
    objectives: Mapping[str, Any]
    coordinates: tuple[Any, ...]
    facts: Facts
    step: int
    device: torch.device


def resolved(recipe: Recipe | str | Path | Mapping[str, Any]) -> Resolution:
    """Returns the complete recipe of what was asked: a `Recipe`, a shipped recipe's name, a file, TOML text or a mapping.

    The data set is looked at for its shape where it can be had.
    """
    asked = as_recipe(recipe)
    first = resolve(asked, host())
    return resolve(asked, host(), Facts.of_recipe(first.recipe).event_shape)


def as_recipe(recipe: Recipe | str | Path | Mapping[str, Any]) -> Recipe:
    """Returns what `resolved` takes, as a `Recipe`."""
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        import tomli_w

        return from_toml(tomli_w.dumps(dict(recipe)))
    if isinstance(recipe, str) and "\n" in recipe:
        return from_toml(recipe)
    path = Path(recipe)
    return read_recipe(path) if path.is_file() else from_toml(host().recipe(str(recipe)), f"recipe {recipe}")


def run(recipe: Recipe | str | Path | Mapping[str, Any], out: str | Path, *, watch: Watcher | None = None) -> Run:
    """Trains what a recipe describes, into a new directory.

    Args:
        recipe: a `Recipe`, a shipped recipe's name, a TOML file, TOML text or a mapping.
        out: directory; it must not hold a run.
        watch: is told of every step.

    Raises:
        RecipeError, CapabilityError, DataError: the request was wrong; nothing has been written.
        DivergenceError: something is not finite any more; the last checkpoint stays.
        RunError: the disk is full, or the run was interrupted (after saving a checkpoint).
    """
    directory = Path(out)
    if (directory / "recipe.toml").exists() or (directory / "checkpoints").exists():
        raise RecipeError(
            f"{directory} already holds a run: resume it with `ebmkit resume {directory}`, or choose another --out."
        )
    if directory.exists() and not directory.is_dir():
        raise RecipeError(f"{directory} is a file: choose another --out.")
    assembly = assemble(resolved(recipe).recipe)
    _write_start(directory, assembly)
    return _Trainer(directory, assembly, watch).train()


def resume(directory: str | Path, *, steps: int | None = None, watch: Watcher | None = None) -> Run:
    """Goes on from the newest checkpoint, exactly as if the run had not stopped.

    Args:
        directory: of the run.
        steps: new total number of steps; unset, as in the recipe.

    Raises:
        CheckpointError: there is no run, or its checkpoint is damaged or foreign.
    """
    directory = Path(directory)
    recipe = _recipe_of(directory)
    saved = checkpoint.load(checkpoint.latest(directory))
    if steps is not None:
        recipe = recipe.with_table("run", steps=steps)
    total = recipe.table("run").steps
    if saved.step >= total:
        raise RecipeError(
            f"{directory} has made {saved.step} of {total} steps: nothing is left. Give --steps {2 * total}, say."
        )
    assembly = assemble(recipe)
    trainer = _Trainer(directory, assembly, watch)
    trainer.take(saved)
    (directory / "recipe.toml").write_text(to_toml(assembly.recipe), encoding="utf-8")
    return trainer.train()


def load(run_dir: str | Path, *, device: str | None = None, averaged: bool = True) -> Run:
    """Loads a run: its energy, sampler, objectives and coordinates. The data set is not needed.

    Args:
        run_dir: directory of the run.
        device: another device than the run's.
        averaged: take the moving averages of the weights instead of the last ones.

    Raises:
        CheckpointError: there is no run, or its checkpoint is damaged or foreign.
    """
    directory = Path(run_dir)
    recipe = _recipe_of(directory)
    saved = checkpoint.load(checkpoint.latest(directory))
    wanted = device or recipe.table("run").device
    recipe = recipe.with_table("run", device=wanted if _available(wanted) else "cpu")
    assembly = assemble(recipe, facts=Facts.from_json(saved.facts), with_data=False)
    parts = assembly.parts
    for name, module in parts.owners().items():
        checkpoint.take(module, saved.tensors.get(f"ema.{name}" if averaged else name, {}), name)
        module.eval()
    return Run(
        directory=directory, recipe=recipe, energy=parts.energy, sampler=parts.sampler, objectives=parts.objectives,
        coordinates=parts.coordinates, facts=assembly.facts, step=saved.step, device=parts.device,
    )  # fmt: skip


class _Trainer:
    """The loop around `train_step`: batches, updates, averages, the logbook, checkpoints."""

    def __init__(self, directory: Path, assembly: Assembly, watch: Watcher | None) -> None:
        self.directory, self.assembly = directory, assembly
        self.parts: Parts = assembly.parts
        self.recipe = assembly.recipe
        self.config = self.recipe.table("run")
        self.watch = watch or (lambda progress: None)
        owners = self.parts.owners()
        self.optimisers = Optimisers(owners, {name: self.recipe.owner(name) for name in owners}, self.config.steps)
        self.averages = Averages(owners, self.config)
        self.tuning: Mapping[str, Any] = {}
        self.done = 0
        self.saved_at = -1

    def take(self, saved: Saved) -> None:
        for name, module in self.parts.owners().items():
            if not {name, f"ema.{name}", f"optim.{name}"} <= saved.tensors.keys():
                raise CheckpointError(f"The checkpoint holds nothing of '{name}': it belongs to another recipe.")
            checkpoint.take(module, saved.tensors[name], name)
            for key, value in self.averages.values[name].items():
                value.copy_(saved.tensors[f"ema.{name}"][key])
            load_optimiser_tensors(self.optimisers.optimisers[name], saved.tensors[f"optim.{name}"])
        self.parts.buffer.load_state_dict(saved.tensors["buffer"])
        self.tuning = checkpoint.unflatten(saved.tensors.get("tuning", {}))
        self.done = self.saved_at = saved.step

    def train(self) -> Run:
        log = self.recipe.table("log")
        book = Logbook(self.directory, tensorboard=log.tensorboard, after=self.done)
        begun, first = time.monotonic(), self.done
        try:
            with interruptible() as stopped:
                while self.done < self.config.steps:
                    report = self._step(self.done + 1)
                    self.done += 1
                    values = self._log(report, book, log.every)
                    seconds = time.monotonic() - begun
                    images = (self.done - first) * self.config.batch_size
                    self.watch(
                        Progress(step=self.done, steps=self.config.steps, values=values, seconds=seconds, images=images)
                    )
                    self._keep(report)
                    if stopped():
                        raise self._interrupted()
        finally:
            book.close()
        return load(self.directory, device=str(self.parts.device))

    def _step(self, step: int) -> StepReport:
        rows = batch_rows(len(self.parts.dataset), self.config.batch_size, step, self.config.seed)
        batch = self.parts.dataset.batch(rows, stream(self.config.seed, step, "data", self.parts.device))
        norms: dict[str, Tensor] = {}
        update = lambda losses: norms.update(self.optimisers.update(losses, step))  # noqa: E731
        report = train_step(self.parts, batch, step, self.tuning, update)
        self.averages.update(step)
        self.tuning = report.tuning
        return StepReport(step=step, losses=report.losses, metrics={**report.metrics, **norms}, phases=report.phases, tuning=report.tuning)  # fmt: skip

    def _due(self, every: int) -> bool:
        return self.done % every == 0 or self.done == self.config.steps

    def _log(self, report: StepReport, book: Logbook, every: int) -> Mapping[str, float]:
        if not (self._due(every) or self.done == 1):
            return {}
        host().hook.ebmkit_on_step(report=report)
        both = {**{f"loss.{k}": v for k, v in report.losses.items()}, **report.metrics}
        values = dict(zip(both, torch.stack([v.float() for v in both.values()]).tolist(), strict=True))
        book.write(self.done, values)
        return values

    def _keep(self, report: StepReport) -> None:
        samples, kept = self.recipe.table("samples"), self.recipe.table("checkpoint")
        if self._due(samples.every) and report.phases.negative is not None:
            (self.directory / "samples").mkdir(exist_ok=True)
            x = self.assembly.to_data(report.phases.negative)[: samples.n]
            save_picture(x, self.assembly.facts.value_range, self.directory / "samples" / f"step-{self.done:08d}.png")
        if self._due(kept.every):
            self.save()

    def save(self) -> Path:
        owners = self.parts.owners()
        tensors = {
            **{name: module.state_dict() for name, module in owners.items()},
            **{f"ema.{name}": self.averages.values[name] for name in owners},
            **{f"optim.{name}": optimiser_tensors(self.optimisers.optimisers[name]) for name in owners},
            "buffer": self.parts.buffer.state_dict(),
            "tuning": checkpoint.flatten(self.tuning),
        }
        saved = Saved(step=self.done, tensors=tensors, facts=self.assembly.facts.as_json())
        self.saved_at = self.done
        return checkpoint.save(self.directory / "checkpoints", saved, self.recipe.table("checkpoint").keep)

    def _interrupted(self) -> RunError:
        if self.saved_at != self.done:
            self.save()
        return RunError(
            f"Interrupted after step {self.done} of {self.config.steps}; a checkpoint is saved. "
            f"Go on with: ebmkit resume {self.directory}"
        )


def batch_rows(n: int, batch_size: int, step: int, seed: int) -> Tensor:
    """Returns the rows [batch_size] of a step (from 1): epochs of shuffled data, a function of its arguments alone.

    A step takes whole batches of an epoch; a set smaller than a batch is gone through several times.
    """
    per_epoch = max(1, n // batch_size)
    epoch, place = divmod(step - 1, per_epoch)
    order = torch.randperm(n, generator=stream(seed, epoch, "epoch"))
    while len(order) < batch_size:
        order = torch.cat([order, torch.randperm(n, generator=stream(seed, len(order), f"epoch {epoch}"))])
    return order[place * batch_size : (place + 1) * batch_size]


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Within it, the first SIGINT or SIGTERM is only remembered, so that a step can end; the second one stops at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def remember(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    for number in before:
        signal.signal(number, remember)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _recipe_of(directory: Path) -> Recipe:
    if not (directory / "recipe.toml").is_file():
        raise CheckpointError(f"{directory} holds no run: there is no {directory / 'recipe.toml'}.")
    return read_recipe(directory / "recipe.toml")


def _write_start(directory: Path, assembly: Assembly) -> None:
    run_config = assembly.recipe.table("run")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        facts = environment(assembly.parts.device, run_config.seed)
        (directory / "environment.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        (directory / "recipe.toml").write_text(to_toml(assembly.recipe), encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"{directory} could not be written: {error}. Choose another --out, or free some space."
        ) from error


def _available(device: str) -> bool:
    kind = torch.device(device).type if device != "auto" else "cpu"
    return kind == "cpu" or bool(getattr(torch, kind, None) and getattr(torch, kind).is_available())

"""A run: from a recipe to a directory, and back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ebmkit import checkpoint
from ebmkit.assemble import Assembly, assemble, build_data, choose_device
from ebmkit.checkpoint import Saved
from ebmkit.errors import CheckpointError, RecipeError, RunError
from ebmkit.facts import Facts
from ebmkit.logbook import environment, write_text
from ebmkit.plugins import host
from ebmkit.protocols import Tuning
from ebmkit.recipe import KIND_OF, Recipe, from_mapping, from_toml, read_recipe, to_toml
from ebmkit.resolver import Resolution, resolve
from ebmkit.samplers.adapt import settled
from ebmkit.trainer import Progress, Trainer, Watcher
from ebmkit.views import settle_parametrisations

__all__ = ["Progress", "Run", "Watcher", "as_recipe", "load", "resolved", "resume", "run"]


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
        device: where the modules are.
        tuning: step sizes of the sampler, as training left them, adaptation ended.
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
    tuning: Tuning = field(default_factory=dict)


def resolved(recipe: Recipe | str | Path | Mapping[str, Any]) -> Resolution:
    """Returns the complete recipe of a `Recipe`, a shipped recipe's name, a TOML file, TOML text or a mapping.

    The data set is looked at for its shape where it can be had.
    """
    asked = as_recipe(recipe)
    first = resolve(asked, host())
    if asked.resolved:
        return first
    return resolve(asked, host(), Facts.of_recipe(first.recipe).event_shape)


def as_recipe(recipe: Recipe | str | Path | Mapping[str, Any]) -> Recipe:
    """Returns what `resolved` takes, as a `Recipe`."""
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        return from_mapping(recipe)
    if isinstance(recipe, str) and "\n" in recipe:
        return from_toml(recipe)
    path = Path(recipe)
    return read_recipe(path) if path.is_file() else from_toml(host().recipe(str(recipe)), f"recipe {recipe}")


def run(
    recipe: Recipe | str | Path | Mapping[str, Any],
    out: str | Path,
    *,
    watch: Watcher | None = None,
    note: Callable[[str], None] | None = None,
) -> Run:
    """Trains what a recipe describes, into a new directory.

    Args:
        recipe: a `Recipe`, a shipped recipe's name, a TOML file, TOML text or a mapping.
        out: directory; it must not hold a run.
        watch: is told of every step.
        note: is told, in one line, what was measured and decided at the start.

    Raises:
        RecipeError, CapabilityError, DataError: the request was wrong; nothing has been written.
        DivergenceError: something is not finite any more; the last checkpoint stays.
        RunError: the disk is full, or the run was interrupted (after saving a checkpoint).
    """
    directory = Path(out)
    _check_free(directory)
    complete, dataset = _with_data(as_recipe(recipe))
    assembly = assemble(complete, dataset=dataset)
    _write_start(directory, assembly)
    if note is not None and assembly.choice is not None:
        note(f"engine = {assembly.choice.engine}: {assembly.choice.reason}")
    Trainer(directory, assembly, watch).train()
    return load(directory, device=str(assembly.parts.device))


def resume(directory: str | Path, *, steps: int | None = None, watch: Watcher | None = None) -> Run:
    """Goes on from the newest checkpoint, exactly as if the run had not stopped.

    A run that stopped before its first checkpoint starts over: everything in it is a function of its recipe.

    Args:
        directory: of the run.
        steps: new total number of steps; unset, as in the recipe.
        watch: is told of every step.

    Raises:
        CheckpointError: there is no run, or its checkpoint is damaged or foreign.
        RecipeError: its recipe is damaged, or no steps are left.
    """
    directory = Path(directory)
    recipe = _recipe_of(directory)
    saved = _newest(directory)
    if steps is not None:
        recipe = recipe.with_table("run", steps=steps)
    total = recipe.table("run").steps
    if saved is not None and saved.step >= total:
        raise RecipeError(
            f"{directory} has made {saved.step} of {total} steps: nothing is left. Give --steps {2 * total}, say."
        )
    assembly = assemble(recipe)
    trainer = Trainer(directory, assembly, watch)
    if saved is None:
        _clear(directory)
    else:
        trainer.take(saved)
    write_text(directory / "recipe.toml", to_toml(assembly.recipe))
    trainer.train()
    return load(directory, device=str(assembly.parts.device))


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
    recipe = recipe.with_table("run", device=device or _device_here(recipe.table("run").device))
    assembly = assemble(recipe, facts=Facts.from_json(saved.facts), with_data=False)
    parts = assembly.parts
    for name, module in parts.owners().items():
        checkpoint.take(module, saved.tensors.get(f"ema.{name}" if averaged else name, {}), name)
        settle_parametrisations(module)
    return Run(
        directory=directory,
        recipe=recipe,
        energy=parts.energy,
        sampler=parts.sampler,
        objectives=parts.objectives,
        coordinates=parts.coordinates,
        facts=assembly.facts,
        step=saved.step,
        device=parts.device,
        tuning=_on(parts.device, settled(checkpoint.unflatten(saved.tensors.get("tuning", {})))),
    )


def _recipe_of(directory: Path) -> Recipe:
    if not (directory / "recipe.toml").is_file():
        raise CheckpointError(f"{directory} holds no run: there is no {directory / 'recipe.toml'}.")
    recipe = read_recipe(directory / "recipe.toml")
    if not recipe.resolved or recipe.table("run").temperature is None:
        lacking = "run.temperature" if recipe.resolved else "the mark resolved = true"
        raise RecipeError(f"{directory / 'recipe.toml'} lacks {lacking}, which every run writes: put it back.")
    _check_installed(directory, recipe)
    return resolve(recipe, host()).recipe


def _check_installed(directory: Path, recipe: Recipe) -> None:
    """Raises RecipeError where a run was made with a part that no plugin gives here."""
    parts = [(KIND_OF.get(table, table), part.use) for table, parts in recipe.parts.items() for part in parts]
    missing = [f"{kind} {name}" for kind, name in parts if name not in host().names(kind)]
    if missing:
        broken = "".join(f" Plugin '{p.name}' ({p.distribution}) is not loaded: {p.error}" for p in host().broken())
        raise RecipeError(
            f"{directory} was made with {', '.join(missing)}, which no installed plugin gives. Install the plugin that "
            f"it came from, or name it in EBMKIT_PLUGINS where that is set; or pass its file with --plugin.{broken}"
        )


def _newest(directory: Path) -> Saved | None:
    """Returns the newest checkpoint of a run, None where it stopped before its first."""
    found = checkpoint.checkpoints(directory / "checkpoints")
    return checkpoint.load(found[-1]) if found else None


def _clear(directory: Path) -> None:
    """Removes what a run wrote before its first checkpoint, but for its recipe and environment."""
    for pattern in ("metrics.jsonl", "samples/*-????????.png", "tensorboard/events.*"):
        for path in directory.glob(pattern):
            path.unlink()
    for path in (directory / "checkpoints").glob(".writing-*"):
        shutil.rmtree(path)


def _check_free(directory: Path) -> None:
    """Raises RecipeError where a directory cannot take a new run."""
    if (directory / "recipe.toml").exists():
        raise RecipeError(f"{directory} already holds a run: `ebmkit resume {directory}`, or choose another --out.")
    if (directory / "checkpoints").exists():
        raise RecipeError(f"{directory} already holds checkpoints, without a recipe.toml: choose another --out.")
    if directory.exists() and not directory.is_dir():
        raise RecipeError(f"{directory} is a file: choose another --out.")


def _with_data(asked: Recipe) -> tuple[Recipe, Any]:
    """Returns the complete recipe and its data set, built once although its shape takes part in the resolution."""
    first = resolve(asked, host()).recipe
    dataset = build_data(first)
    if asked.resolved:
        return first, dataset
    complete = resolve(asked, host(), Facts.of(dataset).event_shape).recipe
    return complete, dataset if complete.part("data") == first.part("data") else None


def _write_start(directory: Path, assembly: Assembly) -> None:
    facts = environment(assembly.parts.device, assembly.recipe.table("run").seed)
    if assembly.choice is not None:
        facts["engine"] = asdict(assembly.choice)
    made = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_text(directory / "environment.json", json.dumps(facts, indent=1) + "\n")
        write_text(directory / "recipe.toml", to_toml(assembly.recipe))
    except (OSError, RunError) as error:
        with suppress(OSError):  # what could not be made cannot always be removed
            (directory / "environment.json").unlink(missing_ok=True)
            if made:
                directory.rmdir()
        message = f"{directory} could not be written: {error}. Choose another --out, or free some space."
        raise RunError(message) from error


def _device_here(recorded: str) -> str:
    """Returns the device that a run was trained on, or the CPU where there is none of it."""
    try:
        return str(choose_device(recorded))
    except RecipeError:
        return "cpu"


def _on(device: torch.device, tuning: Tuning) -> Tuning:
    return {
        key: _on(device, value) if isinstance(value, Mapping) else value.to(device) for key, value in tuning.items()
    }

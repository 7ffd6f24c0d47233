"""A run: from a recipe to a directory, and back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import Asked, Complete, complete
from ebmkit.assembly.device import choose_device
from ebmkit.assembly.memory import no_larger_than
from ebmkit.data.spec import DataSpec
from ebmkit.display.doing import doing
from ebmkit.display.progress import Progress, Watcher
from ebmkit.errors import RecipeError
from ebmkit.recipes.recipe import to_toml
from ebmkit.recipes.tables import Weights
from ebmkit.runs.checkpoints import checkpoint, taking
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.runs.checkpoints.finite import check_weights
from ebmkit.runs.checkpoints.shares import OWN, own_of
from ebmkit.runs.checkpoints.state import on_device
from ebmkit.runs.files.directory import check_free, check_is_run, clear, is_run, recipe_of, write_text
from ebmkit.runs.files.environment import tell_changes
from ebmkit.runs.files.located import check_own, run_directory
from ebmkit.runs.files.lock import Lock
from ebmkit.runs.finished import Run
from ebmkit.runs.given import given_of
from ebmkit.runs.launched import this_world
from ebmkit.runs.loop import Trainer
from ebmkit.runs.other_recipe import refuse_other
from ebmkit.runs.readable import check_reads_back
from ebmkit.runs.session import session
from ebmkit.runs.start import clear_later, write_start
from ebmkit.samplers.adaptation import for_evaluation
from ebmkit.sampling.model import model_of, opened
from ebmkit.views.frozen import converge_parametrisations

__all__ = ["Progress", "Run", "Watcher", "load", "resume", "run", "train", "train_or_resume"]

Note = Callable[[str], None]
_log = logging.getLogger(__name__)


def run(recipe: Asked, out: str | Path, *, watch: Watcher | None = None, note: Note | None = None) -> Run:
    """Trains what a recipe describes, into a new directory.

    Args:
        recipe: a `Recipe`, a shipped recipe's name, a TOML file, TOML text or a mapping.
        out: directory; it must not hold a run.
        watch: is told of every step.
        note: is told, in one line each, what was measured and decided at the start and the warnings of the alarms;
            unset, the warnings are logged.

    Raises:
        RecipeError, CapabilityError, DataError: the request was wrong; nothing has been written.
        DivergenceError: something is not finite any more, or an alarm left no doubt; the last checkpoint stays.
        RunError: the disk is full, or the run was interrupted (after saving a checkpoint).
    """
    directory = Path(out)
    check_free(directory)
    with session(directory, note) as lock:
        return _trained(complete(recipe), directory, lock, watch, note)


def train(made: Complete, out: str | Path, *, watch: Watcher | None = None, note: Note | None = None) -> Run:
    """Trains a recipe that is complete, on its data set that is built; see `run`."""
    directory = Path(out)
    check_free(directory)
    with session(directory, note) as lock:
        return _trained(made, directory, lock, watch, note)


def train_or_resume(
    made: Complete, out: str | Path, *, watch: Watcher | None = None, note: Note | None = None
) -> Run | None:
    """Trains a recipe that is complete, or goes on with it where the directory holds it.

    Returns:
        The run; None where it had made its steps already.

    Raises:
        RecipeError: the directory holds a run of another recipe.
    """
    directory = Path(out)
    if not is_run(directory):
        return train(made, directory, watch=watch, note=note)
    refuse_other(directory, made.recipe)
    with session(directory, note) as lock:
        saved = checkpoint.newest(directory, note or _log.warning)
        if saved is None:
            if this_world().is_first:
                clear(directory, recipe_too=True)
            return _trained(made, directory, lock, watch, note)
        asked = made.recipe.table("run")
        own = {"steps": asked.steps, "max_minutes": asked.max_minutes}
        return None if saved.step >= asked.steps else _resumed(directory, saved, lock, own, watch, note, None)


def _trained(made: Complete, directory: Path, lock: Lock | None, watch: Watcher | None, note: Note | None) -> Run:
    """Trains in a directory that is locked."""
    if this_world().is_first:  # which may have begun to write
        check_free(directory)
    trainer = begun(made, directory, watch=watch, note=note, lock=lock)
    trainer.train()
    return load(directory, device=str(trainer.assembly.parts.device), given=given_of(made.recipe))


def begun(
    made: Complete,
    directory: Path | None,
    *,
    watch: Watcher | None = None,
    note: Note | None = None,
    lock: Lock | None = None,
) -> Trainer:
    """Returns a run that is ready for its first step: parts built, its recipe written where it has a directory."""
    world = this_world()
    assembly = assemble(made.recipe, dataset=made.dataset, world=world)
    if note is not None and assembly.choice is not None and world.is_first:
        note(f"engine = {assembly.choice.engine}: {assembly.choice.reason}")
    trainer = Trainer(directory, assembly, watch, note=note, lock=lock)
    check_reads_back(assembly)
    if directory is not None and world.is_first:
        write_start(directory, assembly)
    return trainer


def resume(
    directory: str | Path,
    *,
    steps: int | None = None,
    watch: Watcher | None = None,
    note: Note | None = None,
    given: Mapping[str, Any] | None = None,
) -> Run:
    """Goes on from the newest checkpoint, exactly as if the run had not stopped.

    A run that stopped before its first checkpoint starts over: everything in it is a function of its recipe.

    Args:
        directory: of the run.
        steps: new total number of steps; unset, as in the recipe.
        watch: is told of every step.
        note: is told, in one line each, the warnings of the alarms; unset, they are logged.
        given: parts that a program handed over, by table: {"energy": net, "data": x}.

    Raises:
        CheckpointError: there is no run, or its checkpoint is damaged or foreign.
        RecipeError: its recipe is damaged, no steps are left, or a part was handed over and is not given.
        DataError: the data that are given are not those of the run.
    """
    check_own(directory)
    directory = Path(directory)
    check_is_run(directory)
    with session(directory, note) as lock:
        saved = checkpoint.newest(directory, note or _log.warning)
        own = {} if steps is None else {"steps": steps}
        return _resumed(directory, saved, lock, own, watch, note, given)


def _resumed(
    directory: Path,
    saved: Saved | None,
    lock: Lock | None,
    own: Mapping[str, Any],
    watch: Watcher | None,
    note: Note | None,
    given: Mapping[str, Any] | None,
) -> Run:
    """Goes on in a directory that is locked, with settings of `[run]` of its own."""
    recipe = recipe_of(directory, given, None if saved is None else DataSpec.from_json(saved.data), for_training=True)
    recipe = recipe.with_table("run", **own)
    total = recipe.table("run").steps
    if saved is not None and saved.step >= total:
        raise RecipeError(
            f"{directory} has made {saved.step} steps, and {total} are asked for in all: nothing is left. "
            f"Give --steps {2 * saved.step}, say."
        )
    world = this_world()
    assembly = assemble(recipe, world=world)
    trainer = Trainer(directory, assembly, watch, note=note, lock=lock)
    if saved is not None:
        trainer.take(own_of(saved, world, trainer.note))
    if world.is_first:
        clear_later(directory, saved, trainer.note)
        tell_changes(directory, assembly.parts.device, trainer.note)
        write_text(directory / "recipe.toml", to_toml(assembly.recipe))
    trainer.train()
    return load(directory, device=str(assembly.parts.device), given=given)


def load(
    run_dir: str | Path,
    *,
    device: str | None = None,
    averaged: bool = True,
    step: int | None = None,
    given: Mapping[str, Any] | None = None,
) -> Run:
    """Loads a run: its energy, sampler, objectives and coordinates. The data set is not needed.

    Args:
        run_dir: directory of the run, or `pretrained:NAME` of one that comes with ebmkit.
        device: another device than the run's.
        averaged: take the moving averages of the weights instead of the last ones.
        step: of the checkpoint to take; unset, the newest that is whole.
        given: parts that a program handed over, by table: {"energy": net}. They take the weights of the run.

    Raises:
        CheckpointError: there is no run, or its checkpoint is damaged or foreign.
        RecipeError: a part of it was handed over and is not given.
    """
    directory = run_directory(run_dir)
    doing(f"loading {run_dir}")
    recipe = recipe_of(directory, given)
    saved = _checkpoint_of(directory, step)
    recipe = recipe.with_table("run", device=device or _device_here(recipe.table("run").device))
    with no_larger_than(tensor for own in saved.tensors.values() for tensor in own.values()):
        assembly = assemble(recipe, data=DataSpec.from_json(saved.data), with_data=False)
    parts = assembly.parts
    for name, module in parts.owners().items():
        its = taking.weights(saved, name, averaged=averaged)
        check_weights(name, module, its)
        taking.take(module, its, name)
        converge_parametrisations(module)
    tuning = on_device(parts.device, for_evaluation(taking.unflatten(saved.tensors.get("tuning", {}))))
    weights: Weights = "averaged" if averaged else "last"
    model = model_of(assembly, step=saved.step, tuning=tuning, name=str(run_dir), weights=weights)
    return Run(directory=directory, model=opened(model))


def _checkpoint_of(directory: Path, step: int | None) -> Saved:
    if step is not None:
        return checkpoint.of_step(directory, step, wanted=_for_a_model)
    checkpoint.latest(directory)
    saved = checkpoint.newest(directory, _log.warning, wanted=_for_a_model)
    assert saved is not None, "one is there"
    return saved


def _for_a_model(name: str) -> bool:
    """Whether a file of a checkpoint is needed by the model, and not by training alone."""
    return name.partition(".rank-")[0] not in OWN and not name.startswith("optim.")


def _device_here(recorded: str) -> str:
    """Returns the device that a run was trained on, or the CPU where there is none of it."""
    try:
        return str(choose_device(recorded))
    except RecipeError:
        return "cpu"

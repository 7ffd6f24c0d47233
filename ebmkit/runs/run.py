"""A run: from a recipe to a directory, and back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ebmkit.assembly.assemble import Assembly, assemble
from ebmkit.assembly.complete import Asked, Complete, complete
from ebmkit.data.spec import DataSpec
from ebmkit.display.progress import Progress, Watcher
from ebmkit.errors import RecipeError
from ebmkit.recipes.recipe import to_toml
from ebmkit.recipes.stage import at_step, with_total
from ebmkit.runs.checkpoints import chosen
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.runs.checkpoints.shares import own_of
from ebmkit.runs.files.data_files import other_data
from ebmkit.runs.files.directory import check_free, check_is_run, clear, is_run, recipe_of, write_text
from ebmkit.runs.files.environment import tell_changes
from ebmkit.runs.files.located import check_own
from ebmkit.runs.files.lock import Lock
from ebmkit.runs.finished import Run
from ebmkit.runs.given import given_of
from ebmkit.runs.init import take_init, with_init
from ebmkit.runs.later_stages import check_later_stages
from ebmkit.runs.launched import this_world
from ebmkit.runs.loaded import load
from ebmkit.runs.loop import Trainer
from ebmkit.runs.other_recipe import refuse_other
from ebmkit.runs.readable import check_reads_back
from ebmkit.runs.session import session
from ebmkit.runs.start import clear_later, tell_choices, write_start

__all__ = ["Progress", "Run", "Watcher", "resume", "run", "train", "train_or_resume"]

Note = Callable[[str], None]
_log = logging.getLogger(__name__)


def run(
    recipe: Asked,
    out: str | Path,
    *,
    init: str | Path | None = None,
    watch: Watcher | None = None,
    note: Note | None = None,
) -> Run:
    """Trains what a recipe describes, into a new directory.

    Args:
        recipe: a `Recipe`, a shipped recipe's name, a TOML file, TOML text or a mapping.
        out: directory; it must not hold a run.
        init: directory of another run, or "pretrained:NAME", whose weights and averages are the start; as `run.init`.
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
        return _trained(complete(with_init(recipe, init)), directory, lock, watch, note)


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
        saved = chosen.newest_together(directory, note or _log.warning, this_world())
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
    return load(directory, device=_device_after(trainer.assembly), given=given_of(made.recipe))


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
    check_later_stages(made, directory, world)
    assembly = assemble(at_step(made.recipe, 0), dataset=made.dataset, world=world)
    if note is not None and world.is_first:
        tell_choices(assembly, note)
    trainer = Trainer(directory, assembly, watch, note=note, lock=lock)
    check_reads_back(assembly)
    init = take_init(assembly, trainer.state, trainer.told)
    if directory is not None and world.is_first:
        write_start(directory, assembly, init)
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
        saved = chosen.newest_together(directory, note or _log.warning, this_world())
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
    total = own.get("steps", recipe.table("run").steps)
    recipe = with_total(recipe.with_table("run", **own), total)
    if saved is not None and saved.step >= total:
        raise RecipeError(
            f"{directory} has made {saved.step} steps, and {total} are asked for in all: nothing is left. "
            f"Give --steps {2 * saved.step}, say."
        )
    world = this_world()
    assembly = assemble(at_step(recipe, 0 if saved is None else saved.step), world=world)
    trainer = Trainer(directory, assembly, watch, note=note, lock=lock)
    if saved is None:
        take_init(assembly, trainer.state, trainer.told)
    else:
        trainer.take(own_of(saved, world, trainer.note))
    if world.is_first:
        clear_later(directory, recipe, saved, trainer.note)
        tell_changes(directory, assembly.parts.device, trainer.note)
        if assembly.dataset is not None and (changed := other_data(directory, assembly.dataset)):
            trainer.note(changed)
        write_text(directory / "recipe.toml", to_toml(assembly.recipe))
    trainer.train()
    return load(directory, device=_device_after(assembly), given=given)


def _device_after(assembly: Assembly) -> str:
    """Returns where a trained model is loaded: where it was trained, or where weights that were split fit whole."""
    return str(assembly.parts.device) if assembly.parts.sharding is None else "cpu"

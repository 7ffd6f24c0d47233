"""What a run writes before its first step, and what it clears away of one that it goes on from."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from ebmkit.assembly.assemble import Assembly
from ebmkit.errors import RunError
from ebmkit.recipes.recipe import Recipe, to_toml
from ebmkit.runs.checkpoints import later
from ebmkit.runs.checkpoints.beside import tell_damage, without_logs
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.runs.checkpoints.examined import recipe_since, tell_damaged_checkpoints
from ebmkit.runs.files.data_files import data_seals
from ebmkit.runs.files.directory import clear, write_text
from ebmkit.runs.files.environment import environment, origins
from ebmkit.runs.init import Init


def write_start(directory: Path, assembly: Assembly, init: Init | None = None) -> None:
    """Writes recipe and environment of a new run, or nothing at all."""
    kept = environment(assembly.parts.device, assembly.recipe.table("run").seed)
    kept["parts"] = origins(assembly.recipe)
    if assembly.dataset is not None:
        kept["data"] = data_seals(assembly.dataset)
    if assembly.choice is not None:
        kept["engine"] = asdict(assembly.choice)
    if init is not None:
        kept["init"] = asdict(init)
    made = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_text(directory / "environment.json", json.dumps(kept, indent=1) + "\n")
        write_text(directory / "recipe.toml", to_toml(assembly.recipe))
    except (OSError, RunError) as error:
        with suppress(OSError):  # what could not be made cannot always be removed
            (directory / "environment.json").unlink(missing_ok=True)
            if made:
                directory.rmdir()
        message = f"{directory} could not be written: {error}. Choose another --out, or free some space."
        raise RunError(message) from error


def tell_choices(assembly: Assembly, tell: Callable[[str], None]) -> None:
    """Says what was measured and decided when the parts were built."""
    if assembly.choice is not None:
        tell(f"engine = {assembly.choice.engine}: {assembly.choice.reason}")
    if assembly.parts.sharding is not None:
        tell(f"fully_shard: {assembly.parts.sharding}")


def clear_later(directory: Path, recipe: Recipe, saved: Saved | None, tell: Callable[[str], None]) -> None:
    """Removes or sets aside what a run wrote after the checkpoint that it goes on from; says what is damaged.

    Later stages of the run may have written down what was decided for them: only in the last one recipe.toml must be as
    it was.
    """
    if saved is None:
        clear(directory, recipe_too=False)
        return
    beside = without_logs(saved.beside) | recipe_since(directory, saved.step)
    if recipe.stages and saved.stage != recipe.stages[-1].name:
        beside.pop("recipe.toml", None)
    tell_damage(directory, beside, saved.step, tell)
    tell_damaged_checkpoints(directory, saved.step, tell)
    later.set_aside(directory, saved.step)

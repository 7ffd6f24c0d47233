"""What a run writes before its first step, and what it clears away of one that it goes on from."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from ebmkit.assembly.assemble import Assembly
from ebmkit.errors import RunError
from ebmkit.recipes.recipe import to_toml
from ebmkit.runs.checkpoints import chosen
from ebmkit.runs.checkpoints.beside import tell_damage, without_logs
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.runs.checkpoints.examined import tell_damaged_checkpoints
from ebmkit.runs.files.data_files import data_seals
from ebmkit.runs.files.directory import clear, write_text
from ebmkit.runs.files.environment import environment, origins


def write_start(directory: Path, assembly: Assembly) -> None:
    """Writes recipe and environment of a new run, or nothing at all."""
    kept = environment(assembly.parts.device, assembly.recipe.table("run").seed)
    kept["parts"] = origins(assembly.recipe)
    if assembly.dataset is not None:
        kept["data"] = data_seals(assembly.dataset)
    if assembly.choice is not None:
        kept["engine"] = asdict(assembly.choice)
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


def clear_later(directory: Path, saved: Saved | None, tell: Callable[[str], None]) -> None:
    """Removes or sets aside what a run wrote after the checkpoint that it goes on from; says what is damaged."""
    if saved is None:
        clear(directory, recipe_too=False)
        return
    tell_damage(directory, without_logs(saved.beside), saved.step, tell)
    tell_damaged_checkpoints(directory, saved.step, tell)
    chosen.set_aside(directory, saved.step)

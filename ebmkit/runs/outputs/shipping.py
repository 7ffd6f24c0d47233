"""A run directory made small: what sampling and scoring need, and nothing that only training does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ebmkit.errors import RunError
from ebmkit.plain_files import read_json
from ebmkit.recipes.part import Part
from ebmkit.recipes.recipe import to_toml
from ebmkit.runs.checkpoints import checkpoint
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.runs.checkpoints.packed import packed
from ebmkit.runs.files.directory import check_free, recipe_of, write_text
from ebmkit.runs.files.environment import origins

MOST_BYTES = 4_000_000
"""Of a run that comes with ebmkit."""


def ship(run: Path, to: Path, most_bytes: int = MOST_BYTES, data: str = "") -> dict[str, int]:
    """Writes the newest checkpoint of a run to a directory of its own, small: averaged weights and the sampler's steps.

    The energy is kept in fp16, what else has weights (an encoder) in 8 bits. The log goes along where there is one.

    Args:
        run: directory of the run.
        to: directory that is made.
        most_bytes: bytes that it may take.
        data: set that it is judged on, where its own does not come with ebmkit and this is a part of it. What it was
            trained on is kept in environment.json.

    Returns:
        Bytes of each file.

    Raises:
        CheckpointError, RecipeError: there is no run, its checkpoint is damaged, or `to` holds one.
        RunError: it takes more bytes; nothing is kept of it.
    """
    check_free(to)
    recipe = recipe_of(run)
    saved = checkpoint.load(checkpoint.latest(run))
    small = Saved(step=saved.step, tensors=_needed(saved.tensors), data=saved.data, stage=saved.stage)
    recipe = recipe.with_table("run", device="cpu")
    kept = read_json(run / "environment.json")
    if data:
        kept["trained_on"] = recipe.part("data").use
        recipe = recipe.with_part("data", Part(data))
    checkpoint.save(to / "checkpoints", small, keep=1)
    write_text(to / "environment.json", json.dumps({**kept, "parts": origins(recipe)}, indent=1) + "\n")
    write_text(to / "recipe.toml", to_toml(recipe))
    sizes = {str(path.relative_to(to)): path.stat().st_size for path in sorted(to.rglob("*")) if path.is_file()}
    if sum(sizes.values()) > most_bytes:
        (to / "recipe.toml").unlink()  # so that it is no run
        raise RunError(
            f"The run takes {sum(sizes.values()):,} bytes, and {most_bytes:,} are allowed: {_listed(sizes)}. "
            f"{to} is left without a recipe.toml."
        )
    return sizes


def _needed(tensors: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Mapping[str, Tensor]]:
    averaged = {name: own for name, own in tensors.items() if name.startswith("ema.")}
    small = {name: packed(own, "half" if name == "ema.energy" else "int8") for name, own in averaged.items()}
    return small | ({"tuning": tensors["tuning"]} if tensors.get("tuning") else {})


def _listed(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {size:,}" for name, size in sizes.items())

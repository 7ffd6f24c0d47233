"""From parts that each process holds whole to an energy whose weights are split over the processes of a run."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.point import Point
from ebmkit.processes import World
from ebmkit.protocols.dataset import Dataset
from ebmkit.protocols.energy import values_of
from ebmkit.protocols.objective import SCORE
from ebmkit.recipes.recipe import Recipe
from ebmkit.rng import stream
from ebmkit.training.batches import batch_of
from ebmkit.training.parts import Parts
from ebmkit.training.sharding import Sharding
from ebmkit.training.step import lift
from ebmkit.views.view import FrozenView

ROWS = 4
"""Data at which the split energy is tried."""


def is_asked(recipe: Recipe, world: World) -> bool:
    """Whether weights are to be split: it is asked for, and there are processes to split them over.

    Raises:
        RecipeError: it is asked for together with what does not work with it.
    """
    if not recipe.table("run").fully_shard or world.size == 1:
        return False
    if recipe.table("eval").every:
        raise RecipeError(
            "run.fully_shard and eval.every: the first process would judge the model alone, and holds a part of its "
            "weights. Leave eval.every out, and judge the run afterwards with `ebmkit eval`."
        )
    if recipe.part("energy").built is not None:
        raise RecipeError(
            "run.fully_shard splits the energy in place, and this one is a program's own object. Name it in the recipe "
            "(a plugin, or `--energy FILE.py:NAME`), or leave run.fully_shard out."
        )
    return True


def split(parts: Parts, dataset: Dataset) -> Parts:
    """Returns the parts with the energy's weights split over the processes.

    Raises:
        CapabilityError: the energy is no module with weights, or torch cannot split it.
    """
    energy, view = parts.energy, parts.view
    if not isinstance(energy, nn.Module) or not isinstance(view, FrozenView) or "energy" not in parts.owners():
        raise CapabilityError(
            f"run.fully_shard splits the weights of an energy, and {type(energy).__name__} has none. Leave it out."
        )
    module: nn.Module = energy
    rows = torch.arange(ROWS) % len(dataset)
    batch = batch_of(dataset.batch(rows, stream(parts.seed, 0, "split data", parts.device)), parts.device)
    point = lift(parts.coordinates, batch, stream(parts.seed, 0, "split lift", parts.device))
    sharding = Sharding(
        module,
        view,
        parts.world,
        parts.device,
        lambda: _asked(parts, point),
        derivatives=parts.requires.derivatives,
    )
    return replace(parts, sharding=sharding, checker=None)


def _asked(parts: Parts, point: Point) -> Tensor:
    """Returns the sum of all that objectives ask of the energy."""
    names = sorted(parts.requires.abilities - {SCORE} | {"energy"})
    values = values_of(parts.energy, point, *names)
    return torch.stack([value.float().sum() for value in values.values()]).sum()

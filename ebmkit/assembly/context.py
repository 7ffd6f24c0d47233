"""What every part of a resolved recipe must know, and x as data hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ebmkit.data.spec import DataSpec
from ebmkit.errors import RecipeError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.processes import ALONE, World
from ebmkit.protocols.coordinate import Coordinate, Rescaling, in_units_of_chains
from ebmkit.protocols.dataset import Dataset
from ebmkit.recipes.recipe import Recipe
from ebmkit.recipes.stage import steps_of
from ebmkit.rng import stream


def in_data_range(coordinates: Iterable[Coordinate], point: Point) -> Tensor:
    """Returns x [B, *event] in the value range of the data, for pictures and metrics."""
    x = point.x
    for coordinate in coordinates:
        x = coordinate.to_data(point.replace(x=x))
    return x


def context_of(recipe: Recipe, data: DataSpec, device: torch.device, world: World = ALONE) -> BuildContext:
    """Returns what every part of a resolved recipe must know, before the coordinates are built.

    Raises:
        RecipeError: the processes cannot share a batch evenly.
    """
    run = recipe.table("run")
    return BuildContext(
        event_shape=data.event_shape,
        value_range=data.value_range,
        x_values=data.x_values,
        scale=data.scale,
        n_classes=data.n_classes,
        n_data=data.n_data,
        batch_size=shared("run.batch_size", run.batch_size, world),
        device=device,
        dtype=torch.float32,
        temperature=temperature_of(recipe),
        total_steps=steps_of(recipe),
        seed=run.seed,
    )


def shared(name: str, number: int, world: World) -> int:
    """Returns each process's part of a number; raises RecipeError where it is not a whole one."""
    if number % world.size:
        fitting = max(number // world.size, 1) * world.size
        raise RecipeError(
            f"{name} is {number}, which {world.size} processes cannot share evenly: set a multiple of {world.size}, "
            f"{fitting} say."
        )
    return number // world.size


def temperature_of(recipe: Recipe) -> float:
    """Returns T of a resolved recipe; raises RecipeError where it has none."""
    temperature: float | None = recipe.table("run").temperature
    if temperature is None:
        raise RecipeError("A resolved recipe has run.temperature; this one has none. Set it, or resolve it anew.")
    return temperature


def data_point(coordinates: Iterable[Coordinate], x: Tensor) -> Point:
    """Returns data x [B, *event] as the energy takes them: in the units of chains, every coordinate as data have it.

    A coordinate that data do not determine, as a label, is not there.
    """
    point = Point(x=x)
    for coordinate in coordinates:
        point = coordinate.clean(coordinate.from_data(point) if isinstance(coordinate, Rescaling) else point)
    return point


def sampling_of(dataset: Dataset, context: BuildContext) -> Callable[[int], Tensor]:
    """Returns what gives n training data [n, *event], in the units of chains; all of them where there are fewer."""

    def sample(n: int) -> Tensor:
        rng = stream(context.seed, 0, "sample of the data", context.device)
        rows = torch.randperm(len(dataset), generator=rng, device=rng.device)[:n]
        x = dataset.batch(rows.to(context.device), rng).x.to(context.device)
        return in_units_of_chains(context.coordinates, x)

    return sample

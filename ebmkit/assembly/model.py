"""A model: parts that belong together, built, whether they were loaded from disk or are being trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ebmkit.data.spec import DataSpec
from ebmkit.errors import RecipeError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.objective import Objective
from ebmkit.protocols.sampler import Sampler, Tuning
from ebmkit.recipes.recipe import Recipe
from ebmkit.views.view import CallableView, FrozenView, Precision, view


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained or half-trained model with everything it was made of.

    Attributes:
        recipe: resolved.
        energy: a module that maps a `Point` to [B] nats.
        sampler: as in training.
        objectives: by name.
        coordinates: in order.
        data: event shape, value range and classes of the data.
        device: where the modules are.
        step: training steps made.
        tuning: step sizes of the sampler, as training left them, adaptation ended.
        name: what messages call it; that of a run is its directory.
        untuned: the steps of its sampler are still to be adapted.
    """

    recipe: Recipe
    energy: Any  # a module with whatever abilities its wrappers give it
    sampler: Sampler
    objectives: Mapping[str, Objective]
    coordinates: tuple[Coordinate, ...]
    data: DataSpec
    device: torch.device
    step: int = 0
    tuning: Tuning = field(default_factory=dict)
    name: str = "the model"
    untuned: bool = False

    @property
    def temperature(self) -> float:
        """T of p ∝ exp(−E/T), nats."""
        return temperature_of(self.recipe)

    @property
    def precision(self) -> Precision:
        """Of the gradients in sampling, as training had it; fp32 where the recipe leaves it open."""
        return "bf16" if self.recipe.table("run").precision == "bf16" else "fp32"

    def context(self) -> BuildContext:
        """Returns what parts that are built for this model must know."""
        return context_of(self.recipe, self.data, self.device).replace(coordinates=self.coordinates)

    def view(self) -> FrozenView | CallableView:
        """Returns what sampling sees of the energy, at the precision of training."""
        return view(self.energy, self.precision)

    def in_data_range(self, point: Point) -> Tensor:
        """Returns x [B, *event] in the value range of the data, for pictures and metrics."""
        return in_data_range(self.coordinates, point)


def in_data_range(coordinates: Iterable[Coordinate], point: Point) -> Tensor:
    """Returns x [B, *event] in the value range of the data, for pictures and metrics."""
    x = point.x
    for coordinate in coordinates:
        x = coordinate.to_data(point.replace(x=x))
    return x


def context_of(recipe: Recipe, data: DataSpec, device: torch.device) -> BuildContext:
    """Returns what every part of a resolved recipe must know, before the coordinates are built."""
    run = recipe.table("run")
    return BuildContext(
        event_shape=data.event_shape,
        value_range=data.value_range,
        x_values=data.x_values,
        scale=data.scale,
        n_classes=data.n_classes,
        n_data=data.n_data,
        batch_size=run.batch_size,
        device=device,
        dtype=torch.float32,
        temperature=temperature_of(recipe),
        total_steps=run.steps,
        seed=run.seed,
    )


def temperature_of(recipe: Recipe) -> float:
    """Returns T of a resolved recipe; raises RecipeError where it has none."""
    temperature: float | None = recipe.table("run").temperature
    if temperature is None:
        raise RecipeError("A resolved recipe has run.temperature; this one has none. Set it, or resolve it anew.")
    return temperature

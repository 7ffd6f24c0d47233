"""A model: parts that belong together, built, whether they were loaded from disk or are being trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ebmkit.assembly.assemble import Assembly
from ebmkit.assembly.context import context_of, data_point, in_data_range, temperature_of
from ebmkit.data.spec import DataSpec
from ebmkit.errors import DataError
from ebmkit.ops.gradients import energy_and_gradient, leaf
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.objective import Objective
from ebmkit.protocols.sampler import Sampler, Tuning
from ebmkit.recipes.recipe import Recipe
from ebmkit.recipes.tables import Method, Weights
from ebmkit.views.view import CallableView, FrozenView, Precision, view

if TYPE_CHECKING:
    from ebmkit.sampling.generate import Generated

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A trained or half-trained model with everything it was made of.

    Attributes:
        recipe: resolved.
        energy: a module that maps x [B, *event], in the value range of the data, or a `Point`, to [B] nats.
        sampler: as in training.
        objectives: by name.
        coordinates: in order.
        data: event shape, value range and classes of the data.
        device: where the modules are.
        step: training steps made.
        tuning: step sizes of the sampler, as training left them, adaptation ended.
        name: what messages call it; that of a run is its directory.
        untuned: the steps of its sampler are still to be adapted.
        weights: which ones it holds: "averaged" over training, or its "last".
        history: losses and metrics of the logged steps, `step` first, where the model was trained in this process.
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
    weights: Weights = "averaged"
    history: Sequence[Mapping[str, float]] = ()

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

    def score(self, x: Tensor | Point) -> Tensor:
        """Returns ∇ₓ log p [B, *event] = −∇ₓE/T at x [B, *event], per data unit; at a point, per unit of its x.

        Raises:
            DataError: x has another shape, or is uint8.
        """
        if isinstance(x, Point):
            return -energy_and_gradient(self.energy, leaf(x), graph=False)[1] / self.temperature

        def ask(point: Point) -> Tensor:
            value: Tensor = self.energy(data_point(self.coordinates, point.x))
            return value

        rows = _rows_of(x, tuple(self.data.event_shape), self.device)
        return -energy_and_gradient(ask, leaf(Point(x=rows)), graph=False)[1] / self.temperature

    def sample(
        self,
        n: int,
        *,
        start: Tensor | None = None,
        given: Mapping[str, Any] | None = None,
        strength: float | None = None,
        transitions: int | None = None,
        visits: int | None = None,
        seed: int | None = None,
        denoise: bool | float | None = None,
        method: Method | None = None,
        moves: int | None = None,
        progress: bool = True,
    ) -> Generated:
        """Returns n fresh samples, `.x` [n, *event] in the value range of the data: chains that the sampler moved.

        Args:
            n: number of chains.
            start: x [n, *event] to start from; unset, chains start from the prior.
            given: coordinate → value, as {"label": "3"} or {"label": "all"}; {"pixels": mask} for those of `start`.
            strength: of a given latent, nats.
            transitions: of each chain; unset, as the recipe says. Where a coordinate takes chains away from data and
                back, as a noise level does, the most that a chain may make.
            visits: to data, after which such a chain is taken.
            seed: of the chains; unset, that of the recipe.
            denoise: end with a step to the mean of the clean x; see `ebmkit.generate`.
            method: "anneal" walks once from noise to data, where a coordinate leads there; unset, as the recipe says.
            moves: annealed, exact moves at each value of that coordinate.
            progress: show how far the chains are.

        Raises:
            RecipeError, CapabilityError, DivergenceError, RunError: as `ebmkit.generate`.
        """
        from ebmkit.sampling.shown import shown  # it generates from models, and here a model asks for it

        asked: dict[str, Any] = {
            "given": given,
            "strength": strength,
            "transitions": transitions,
            "visits": visits,
            "seed": seed,
            "denoise": denoise,
            "method": method,
            "moves": moves,
        }
        return shown(self, n, progress=progress, start=start, **asked)

    def __repr__(self) -> str:
        parts = {table: "+".join(part.use for part in parts) for table, parts in self.recipe.parts.items()}
        described = ", ".join(f"{table} {names}" for table, names in parts.items())
        return f"Model({described}; {self.step:,} steps, T = {self.temperature:g}, x {list(self.data.event_shape)})"


def model_of(
    assembly: Assembly,
    *,
    step: int = 0,
    tuning: Tuning | None = None,
    name: str = "the model",
    weights: Weights = "averaged",
    history: Sequence[Mapping[str, float]] = (),
) -> Model:
    """Returns the parts of an assembly as a model to sample from; its modules are these, with their present weights."""
    parts = assembly.parts
    return Model(
        recipe=assembly.recipe,
        energy=parts.energy if parts.sharding is None else parts.view.constant,
        sampler=parts.sampler,
        objectives=parts.objectives,
        coordinates=parts.coordinates,
        data=assembly.data,
        device=parts.device,
        step=step,
        tuning=tuning or {},
        name=name,
        weights=weights,
        history=history,
    )


def opened(model: Model) -> Model:
    """Returns the model for a person's hands: its energy takes x [B, *event] as well as a `Point`."""
    energy = model.energy
    if isinstance(energy, nn.Module):
        hooks, shape = energy._forward_pre_hooks, tuple(model.data.event_shape)
        for key in [key for key, hook in hooks.items() if getattr(hook, "func", None) is _as_point]:
            del hooks[key]  # of another model that the same network was trained as before
        energy.register_forward_pre_hook(partial(_as_point, model.coordinates, shape, model.device))
    return model


def _as_point(
    coordinates: tuple[Coordinate, ...],
    event_shape: tuple[int, ...],
    device: torch.device,
    module: nn.Module,
    args: tuple[Any, ...],
) -> tuple[Point] | None:
    """Returns the arguments of a forward pass with x, a tensor or array, as the point that it stands for."""
    if not args or not isinstance(args[0], (Tensor, np.ndarray)):
        return None
    return (data_point(coordinates, _rows_of(args[0], event_shape, device)),)


def _rows_of(x: Tensor | Array, event_shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Returns x [B, *event] of data in float32, as the energy takes it; raises DataError where it is something else."""
    rows = torch.as_tensor(x)
    if rows.ndim != len(event_shape) + 1 or tuple(rows.shape[1:]) != event_shape:
        wanted = ", ".join(["B", *map(str, event_shape)])
        one = " Of one x: x[None]." if tuple(rows.shape) == event_shape else ""
        raise DataError(f"The model takes x [{wanted}], rows first, found {list(rows.shape)}.{one}")
    if rows.dtype == torch.uint8:
        raise DataError("The model takes x in the value range of its data, found uint8 levels: give (x + 0.5) / 256.")
    return rows.to(device=device, dtype=torch.float32)

"""From a resolved recipe to built parts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from ebmkit.building import build as build_part
from ebmkit.building import build_coordinates, build_dataset, build_energy, build_objectives, build_sampler, part_seed
from ebmkit.components import BuildContext
from ebmkit.errors import CapabilityError, CheckpointError, DataError, RecipeError
from ebmkit.point import Point
from ebmkit.recipe import Recipe, RunConfig, settings_of
from ebmkit.step import Parts
from ebmkit.views import Precision, view


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a model needs to know of its data: enough to load a run where the data are not at hand.

    Attributes:
        event_shape: of one datum.
        value_range: of x, None where it is unbounded.
        n_classes: label values, 0 without labels.
        class_names: their names, perhaps empty.
        n_data: training data.
    """

    event_shape: tuple[int, ...]
    value_range: tuple[float, float] | None
    n_classes: int
    class_names: tuple[str, ...]
    n_data: int

    @classmethod
    def of(cls, dataset: Any) -> Facts:
        """Returns the facts of a built data set."""
        return cls(
            event_shape=tuple(dataset.event_shape),
            value_range=dataset.value_range,
            n_classes=dataset.n_classes,
            class_names=tuple(dataset.class_names),
            n_data=len(dataset),
        )

    @classmethod
    def of_recipe(cls, recipe: Recipe) -> Facts:
        """Returns the facts of a recipe's data; raises DataError where they cannot be had."""
        return cls.of(build_dataset(recipe, BuildContext()))

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Facts:
        """Returns saved facts; raises CheckpointError where they are not those of a data set."""
        try:
            return TypeAdapter(cls).validate_json(json.dumps(facts), strict=True)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise CheckpointError(
                f"The checkpoint's facts of the data are damaged: {wrong}. Remove it to use the one before."
            ) from error

    def as_json(self) -> dict[str, Any]:
        """Returns the facts as JSON values."""
        return {name: list(v) if isinstance(v, tuple) else v for name in self.__slots__ for v in [getattr(self, name)]}


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """Built parts, the facts of the data and the recipe with every "auto" decided."""

    parts: Parts
    facts: Facts
    recipe: Recipe


def in_data_range(coordinates: Iterable[Any], point: Point) -> Tensor:
    """Returns x [B, *event] in the value range of the data, for pictures and metrics."""
    x = point.x
    for coordinate in coordinates:
        x = coordinate.to_data(point.replace(x=x))
    return x


def build_data(recipe: Recipe) -> Any:
    """Returns the data set of a recipe, built for the device of its run."""
    return build_dataset(recipe, BuildContext(device=choose_device(recipe.table("run").device)))


def assemble(
    recipe: Recipe, *, facts: Facts | None = None, with_data: bool = True, dataset: Any | None = None
) -> Assembly:
    """Builds every part of a resolved recipe.

    Args:
        recipe: resolved.
        facts: of the data, where they are known.
        with_data: build the data set and the buffer; without them nothing can be trained.
        dataset: the recipe's, where it has been built already.

    Raises:
        CapabilityError, DataError, RecipeError: a part cannot be built here, or nothing of it can be trained.
    """
    config = recipe.table("run")
    device = choose_device(config.device)
    if with_data and dataset is None:
        dataset = build_data(recipe)
    facts = Facts.of(dataset) if dataset is not None else facts
    if facts is None:
        raise DataError("Without its data set, a model needs the facts of its data.")
    context = build_coordinates(recipe, _context(config, facts, device))
    energy = build_energy(recipe, context)
    precision = choose_precision(config.precision, facts.event_shape)
    recipe = recipe.with_table("run", device=str(device), precision=precision, engine="eager")
    buffer = recipe.part("buffer")
    parts = Parts(
        dataset=dataset,  # type: ignore[arg-type]
        coordinates=context.coordinates,
        energy=energy,
        sampler=build_sampler(recipe.parts["sampler"], context),
        buffer=build_part(
            "buffer", buffer.use, context=context.replace(seed=part_seed(config.seed, "buffer")), **buffer.settings
        )
        if with_data
        else None,
        objectives=build_objectives(recipe, context, energy),
        view=view(energy, precision),
        device=device,
        seed=config.seed,
        autocast=config.train_precision == "bf16",
    )
    if with_data:
        _check_trainable(recipe, parts.owners())
    owners = {name: settings_of(recipe.owner(name)) for name in parts.owners()}
    return Assembly(parts=parts, facts=facts, recipe=_with_owners(recipe, owners))


def choose_precision(asked: str, event_shape: tuple[int, ...]) -> Precision:
    """Returns the precision of drifts in sampling: bf16 for images where it is left to us, else fp32."""
    if asked == "auto":
        return "bf16" if len(event_shape) == 3 else "fp32"
    return "bf16" if asked == "bf16" else "fp32"


def choose_device(name: str) -> torch.device:
    """Returns a device that can be used.

    Raises:
        RecipeError: it is unknown, or there is none here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        (torch.ones(1, device=device) + 1).tolist()  # some devices compute nothing, or give nothing back
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(". ")
        raise RecipeError(f"Device '{name}' cannot be used here: {first}. Use --device auto or cpu.") from error
    return device


def _context(config: RunConfig, facts: Facts, device: torch.device) -> BuildContext:
    return BuildContext(
        event_shape=facts.event_shape,
        value_range=facts.value_range,
        n_classes=facts.n_classes,
        n_data=facts.n_data,
        batch_size=config.batch_size,
        device=device,
        dtype=torch.float32,
        temperature=_temperature(config),
        total_steps=config.steps,
        seed=config.seed,
    )


def _temperature(config: RunConfig) -> float:
    if config.temperature is None:
        raise RecipeError("A resolved recipe has run.temperature; this one has none. Set it, or resolve it anew.")
    return config.temperature


def _check_trainable(recipe: Recipe, owners: Mapping[str, nn.Module]) -> None:
    """Raises CapabilityError where training could change nothing."""
    if any(p.requires_grad for module in owners.values() for p in module.parameters()):
        return
    names = ", ".join(part.use for part in recipe.parts["objective"])
    raise CapabilityError(
        f"Nothing here can be trained: neither energy {recipe.part('energy').use} nor objective {names} owns a "
        "parameter. Use ebmkit.sample to draw from such an energy."
    )


def _with_owners(recipe: Recipe, owners: dict[str, Any]) -> Recipe:
    for name in recipe.optim:
        if name not in owners and name != "energy":
            raise RecipeError(f"[optim.{name}] has no effect: {name} owns no parameters. Remove it.")
    return replace(recipe, optim=owners)

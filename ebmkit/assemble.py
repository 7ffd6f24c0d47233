"""From a resolved recipe to built parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ebmkit.building import build as build_part
from ebmkit.building import build_coordinates, build_dataset, build_energy, build_objectives, build_sampler, part_seed
from ebmkit.components import BuildContext
from ebmkit.engines.choice import Choice, choose_engine
from ebmkit.engines.passes import Engine
from ebmkit.errors import CapabilityError, DataError, RecipeError
from ebmkit.facts import Facts
from ebmkit.phases import stream
from ebmkit.point import Point
from ebmkit.preflight import check_values
from ebmkit.protocols import moves_x
from ebmkit.recipe import Recipe, RunConfig, settings_of
from ebmkit.step import Parts, lift
from ebmkit.views import Precision, view


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """Built parts, the facts of the data and the recipe with every "auto" decided.

    Attributes:
        parts: built.
        facts: of the data.
        recipe: with every "auto" decided; where there are no data, the engine is left as it was.
        choice: of the engine, where "auto" was asked for and it was measured.
    """

    parts: Parts
    facts: Facts
    recipe: Recipe
    choice: Choice | None = None


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
    recipe = recipe.with_table("run", device=str(device), precision=precision)
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
        view=view(energy, precision, engine=_engine(config, with_data), chunk=config.chunk),
        device=device,
        seed=config.seed,
        autocast=config.train_precision == "bf16",
    )
    check_values(parts.sampler, context.coordinates, facts.x_values)
    if with_data:
        _check_trainable(recipe, parts.owners())
        _check_moves(parts)
        _check_references(parts, config.batch_size)
    owners = {name: settings_of(recipe.owner(name)) for name in parts.owners()}
    recipe = _with_owners(recipe, owners)
    if not with_data:
        return Assembly(parts=parts, facts=facts, recipe=recipe)
    return _with_engine(Assembly(parts=parts, facts=facts, recipe=recipe), precision)


def _engine(config: RunConfig, with_data: bool) -> Engine:
    """Returns the engine that a view starts with: what is loaded is sampled eagerly, and "auto" comes later."""
    return config.engine if with_data and config.engine != "auto" else "eager"


def _with_engine(assembly: Assembly, precision: Precision) -> Assembly:
    """Returns the assembly with engine and chunk decided, by measuring on its first batch where they are "auto".

    The measurement has random streams of its own: what it does changes no number of the run.
    """
    parts, config = assembly.parts, assembly.recipe.table("run")
    if config.engine != "auto" and config.chunk != "auto":
        return assembly
    rows = torch.arange(config.batch_size) % len(parts.dataset)
    batch = parts.dataset.batch(rows, stream(config.seed, 0, "engine data", parts.device))
    point = lift(parts.coordinates, batch, stream(config.seed, 0, "engine lift", parts.device))
    parts.view.drift(point)
    chunk = 0 if parts.view.passes.chunk == "auto" else parts.view.passes.chunk
    if config.engine != "auto":
        return replace(assembly, recipe=assembly.recipe.with_table("run", chunk=chunk))
    seen, choice = choose_engine(
        lambda engine: view(parts.energy, precision, engine=engine, chunk=chunk),
        parts.sampler, point, stream(config.seed, 0, "engine chains", parts.device), steps=config.steps,
    )  # fmt: skip
    recipe = assembly.recipe.with_table("run", engine=choice.engine, chunk=chunk)
    return replace(assembly, parts=replace(parts, view=seen), recipe=recipe, choice=choice)


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
        x_values=facts.x_values,
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


def _check_moves(parts: Parts) -> None:
    """Raises CapabilityError where chains would stay where they began."""
    if parts.needs.negatives and not moves_x(parts.sampler):
        raise CapabilityError(
            f"{type(parts.sampler).__name__} moves no x, so every chain would stay where it began: put a sampler of x "
            "before it, as --sampler mala+gibbs."
        )


def _check_references(parts: Parts, batch_size: int) -> None:
    """Raises CapabilityError where the buffer can never have as many other rows as objectives want of it."""
    wanted, rows = parts.needs.reference, len(parts.buffer)
    if wanted and wanted + batch_size > rows:
        raise CapabilityError(
            f"{wanted} reference rows are wanted beside a batch of {batch_size} chains, but the buffer has {rows} "
            "rows: raise buffer.capacity or ask for fewer."
        )


def _with_owners(recipe: Recipe, owners: dict[str, Any]) -> Recipe:
    for name in recipe.optim:
        if name not in owners and name != "energy":
            raise RecipeError(f"[optim.{name}] has no effect: {name} owns no parameters. Remove it.")
    return replace(recipe, optim=owners)

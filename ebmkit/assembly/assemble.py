"""From a resolved recipe to built parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from ebmkit.assembly.build import build_dataset
from ebmkit.assembly.checks import (
    check_derivatives,
    check_moves,
    check_optimisers,
    check_references,
    check_trainable,
    check_values,
)
from ebmkit.assembly.context import context_of, sampling_of
from ebmkit.assembly.device import choose_device, choose_precision
from ebmkit.assembly.memory import fitting
from ebmkit.assembly.parts import build_buffer, build_coordinates, build_energy, build_objectives, build_sampler
from ebmkit.assembly.sharded import is_asked, split
from ebmkit.data.spec import DataSpec
from ebmkit.display.doing import doing
from ebmkit.ops.batch_norm import pool_batch_norms
from ebmkit.plugins.context import BuildContext
from ebmkit.processes import ALONE, World
from ebmkit.protocols.dataset import Dataset
from ebmkit.protocols.energy import Energy
from ebmkit.recipes.recipe import Recipe
from ebmkit.recipes.settings import settings_of
from ebmkit.recipes.stage import steps_of
from ebmkit.recipes.tables import RunConfig
from ebmkit.rng import stream
from ebmkit.training.checker.checker import Checker
from ebmkit.training.checker.labels import labels_of
from ebmkit.training.parts import Parts
from ebmkit.training.step import lift
from ebmkit.views.engine_choice import Choice, choose_engine
from ebmkit.views.passes import Engine
from ebmkit.views.view import Precision, view


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """Built parts, what is known of the data, and the recipe with every "auto" decided.

    Attributes:
        parts: built.
        data: their shape, range and classes.
        dataset: to train on; None where there is none.
        recipe: with every "auto" decided; where there are no data, the engine is left as it was.
        choice: of the engine, where "auto" was asked for and it was measured.
        inside: the energies inside each other: the network, and each wrapper around it.
    """

    parts: Parts
    data: DataSpec
    recipe: Recipe
    dataset: Dataset | None = None
    choice: Choice | None = None
    inside: tuple[Energy, ...] = ()


def assemble(
    recipe: Recipe,
    *,
    data: DataSpec | None = None,
    with_data: bool = True,
    dataset: Dataset | None = None,
    world: World = ALONE,
) -> Assembly:
    """Builds every part of a resolved recipe.

    Args:
        recipe: resolved.
        data: shape, range and classes of the data, where they are known.
        with_data: build the data set and the buffer; without them nothing can be trained.
        dataset: the recipe's, where it has been built already.
        world: the processes that train together; each builds all parts, with the same weights, and chains of its own.

    Raises:
        CapabilityError, DataError, RecipeError: a part cannot be built here, or nothing of it can be trained.
    """
    config = recipe.table("run")
    device = choose_device(config.device)
    if with_data and dataset is None:
        dataset = build_dataset(recipe.part("data"), device)
    data = DataSpec.of(dataset) if dataset is not None else data
    doing("building the parts")
    data = fitting(data, config.batch_size if with_data else 0, dataset)
    precision = choose_precision(config.precision, data.event_shape)
    recipe = recipe.with_table("run", device=str(device), precision=precision)
    context = _with_sample(build_coordinates(recipe, context_of(recipe, data, device, world)), dataset)
    inside: list[Energy] = []
    energy = build_energy(recipe, context, inside)
    parts = Parts(
        coordinates=context.coordinates,
        energy=energy,
        sampler=build_sampler(recipe.parts.get("sampler", ()), context),
        buffer=build_buffer(recipe, context, world) if with_data else None,
        objectives=build_objectives(recipe, context, energy),
        view=view(energy, precision, engine=_engine(config, with_data), chunk=config.chunk),
        device=device,
        seed=config.seed,
        autocast=config.train_precision == "bf16",
        world=world,
        checker=Checker(config.checked_steps, data, labels_of(recipe), inside[:-1]) if with_data else None,
    )
    unite(parts)
    check_values(parts.sampler, context.coordinates, data.x_values)
    owners = {name: settings_of(recipe.owner(name)) for name in parts.owners()}
    check_optimisers(recipe, owners)
    recipe = replace(recipe, optim=owners)
    assembly = Assembly(parts=parts, data=data, recipe=recipe, dataset=dataset, inside=tuple(inside))
    if not with_data:
        return assembly
    ready = _ready_to_train(assembly, precision)
    return _split(ready) if is_asked(recipe, world) else ready


def _split(assembly: Assembly) -> Assembly:
    """Returns the assembly with the weights of its energy split over the processes."""
    assert assembly.dataset is not None
    return replace(assembly, parts=split(assembly.parts, assembly.dataset))


def _with_sample(context: BuildContext, dataset: Dataset | None) -> BuildContext:
    """Returns the context with draws of the data, where there are any."""
    return context if dataset is None else context.replace(sample=sampling_of(dataset, context))


def unite(parts: Parts) -> None:
    """Gives all processes the weights of rank 0, and objectives the batch statistics of all rows."""
    owners = parts.owners()
    for module in owners.values():
        parts.world.take_first([*module.parameters(), *module.buffers()])
    for name in owners.keys() & parts.objectives.keys():
        pool_batch_norms(owners[name], parts.world)


def _ready_to_train(assembly: Assembly, precision: Precision) -> Assembly:
    """Returns the assembly with its engine chosen; raises CapabilityError where it cannot be trained."""
    parts, recipe = assembly.parts, assembly.recipe
    check_trainable(recipe, parts.owners())
    check_moves(parts)
    check_references(parts, recipe.table("run").batch_size // parts.world.size)
    check_derivatives(parts)
    return _with_engine(assembly, precision)


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
    if not parts.requires.negatives:  # nothing is sampled in a step
        engine = "eager" if config.engine == "auto" else config.engine
        chunk = 0 if config.chunk == "auto" else config.chunk
        return replace(assembly, recipe=assembly.recipe.with_table("run", engine=engine, chunk=chunk))
    assert assembly.dataset is not None
    rows = torch.arange(config.batch_size // parts.world.size) % len(assembly.dataset)  # as many as a step has here
    batch = assembly.dataset.batch(rows, stream(config.seed, 0, "engine data", parts.device))
    if parts.checker is not None:
        parts.checker(parts, batch, 0, {})  # a part that breaks a promise is named before it is timed
    point = lift(parts.coordinates, batch, stream(config.seed, 0, "engine lift", parts.device))
    parts.view.gradient(point)
    chunk = 0 if parts.view.passes.chunk == "auto" else parts.view.passes.chunk
    if config.engine != "auto":
        return replace(assembly, recipe=assembly.recipe.with_table("run", chunk=chunk))
    seen, choice = choose_engine(
        lambda engine: view(parts.energy, precision, engine=engine, chunk=chunk),
        parts.sampler, point, stream(config.seed, 0, "engine chains", parts.device), steps=steps_of(assembly.recipe),
    )  # fmt: skip
    taken: Any = parts.world.said_by_first(choice.engine)
    if taken != choice.engine:  # each process measured for itself; one recipe has one engine
        seen = view(parts.energy, precision, engine=taken, chunk=chunk)
    recipe = assembly.recipe.with_table("run", engine=taken, chunk=chunk)
    return replace(assembly, parts=replace(parts, view=seen), recipe=recipe, choice=choice)

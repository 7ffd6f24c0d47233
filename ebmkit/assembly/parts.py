"""From the tables of a resolved recipe to the parts of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ebmkit.assembly.build import build_part
from ebmkit.assembly.checks import check_declared_negatives
from ebmkit.assembly.context import shared
from ebmkit.assembly.given import given_energy
from ebmkit.assembly.members import check_members
from ebmkit.plugins.context import BuildContext
from ebmkit.processes import ALONE, World
from ebmkit.protocols.buffer import Buffer
from ebmkit.protocols.energy import Energy
from ebmkit.protocols.objective import Objective, Placed
from ebmkit.protocols.sampler import Sampler
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.rng import part_seed
from ebmkit.samplers.none import NoSampler
from ebmkit.samplers.sequence import Sequence


def build_buffer(recipe: Recipe, context: BuildContext, world: World = ALONE) -> Buffer | None:
    """Builds the buffer that a recipe names, None where it names none; of several processes each holds its share."""
    if "buffer" not in recipe.parts:
        return None
    part = recipe.part("buffer")
    name = "buffer" if world.is_first else f"buffer of rank {world.rank}"
    seeded = context.replace(seed=part_seed(context.seed, name))
    capacity = part.settings.get("capacity")  # the rows of all processes
    own = {"capacity": shared("buffer.capacity", capacity, world)} if world.size > 1 and capacity else {}
    buffer: Buffer = build_part("buffer", part, seeded, **own)
    check_members("buffer", part.use, buffer)
    return buffer


def build_coordinates(recipe: Recipe, context: BuildContext) -> BuildContext:
    """Returns the context with the recipe's coordinates, each built knowing those before it."""
    for part in recipe.parts.get("coordinate", ()):
        seeded = context.replace(seed=part_seed(context.seed, part.use))
        coordinate = build_part("coordinate", part, seeded)
        check_members("coordinate", part.use, coordinate)
        context = context.replace(coordinates=(*context.coordinates, coordinate))
    return context


def build_energy(recipe: Recipe, context: BuildContext, stages: list[Energy] | None = None) -> Any:
    """Builds the energy inside its wrappers, innermost first; each stage of it is added to `stages`."""
    stages = [] if stages is None else stages

    def backbone(event_shape: tuple[int, ...] = context.event_shape, index: int = 0, **changes: Any) -> Any:
        name = "energy" if index == 0 else f"energy.{index}"
        part = recipe.part("energy")
        inner = context.replace(event_shape=event_shape, seed=part_seed(context.seed, name))
        if part.built is not None:
            is_another = bool(changes) or index > 0 or event_shape != context.event_shape
            return given_energy(part, inner, is_another=is_another)
        return build_part("energy", part, inner, **changes)

    make: Callable[..., Any] = backbone
    stages.append(make())
    for part in recipe.parts.get("wrapper", ()):
        make = _wrapping(part, make, context)
        stages.append(make(inner=stages[-1]))
    return stages[-1]


def _wrapping(part: Part, make_inner: Callable[..., Any], context: BuildContext) -> Callable[..., Any]:
    def make(
        event_shape: tuple[int, ...] = context.event_shape, index: int = 0, inner: Any = None, **changes: Any
    ) -> Any:
        wrapped = make_inner(event_shape=event_shape, index=index, **changes) if inner is None else inner
        name = part.use if index == 0 else f"{part.use}.{index}"
        own = replace(
            context, event_shape=event_shape, inner=wrapped, make_inner=make_inner, seed=part_seed(context.seed, name)
        )
        return build_part("wrapper", part, own)

    return make


def build_sampler(parts: Iterable[Part], context: BuildContext) -> Sampler:
    """Builds one sampler, or the sequence of several; of none, one that says so when it is used."""
    built = [build_part("sampler", part, context) for part in parts]
    if not built:
        return NoSampler()
    return built[0] if len(built) == 1 else Sequence(built)


def build_objectives(recipe: Recipe, context: BuildContext, energy: Energy) -> Mapping[str, Objective]:
    """Builds the objectives by name; `context.inner` is the energy they will score.

    Raises:
        PluginError: one needs chains and its declaration says that it does not, or the reverse.
        CapabilityError: one that a program handed over cannot work here.
    """
    built: dict[str, Objective] = {}
    for part in recipe.parts["objective"]:
        own = context.replace(inner=energy, seed=part_seed(context.seed, part.use))
        built[part.use] = build_part("objective", part, own)
        check_members("objective", part.use, built[part.use])
        if part.built is not None and isinstance(part.built, Placed):
            part.built.placed(own)
        check_declared_negatives(part, built[part.use], context.selection())
    return built

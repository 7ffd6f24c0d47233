"""From a declaration and a config to a part."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ebmkit.components import BuildContext
from ebmkit.plugins import host, load_build
from ebmkit.recipe import Part, Recipe, validated
from ebmkit.samplers.sequence import Sequence


def build(kind: str, name: str, /, *, context: BuildContext | None = None, **config: Any) -> Any:
    """Builds one part outside a run.

    Args:
        kind: "energy", "wrapper", "coordinate", "sampler", "buffer", "objective", "dataset" or "metric".
        name: as `ebmkit list` shows it.
        context: what a run would know; without one, 2-D unbounded events at temperature 1 on the CPU.
        **config: settings of its config dataclass.

    Raises:
        RecipeError: an unknown part or setting, or a value out of range.
        CapabilityError: the part cannot work in this context.

    >>> import ebmkit
    >>> ebmkit.build("sampler", "sgld", moves=5).step_size
    0.005
    """
    component = host().get(kind, name)
    settings = validated(component.config, config, f"{kind} {name}")
    return load_build(component)(settings, context or BuildContext())


def part_seed(seed: int, part: str) -> int:
    """Returns the initialisation seed of one part of a run."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/init/{part}".encode(), digest_size=8).digest(), "little") >> 1


def build_dataset(recipe: Recipe, context: BuildContext) -> Any:
    """Builds the data set that a recipe names."""
    part = recipe.part("data")
    return build("dataset", part.use, context=context, **part.settings)


def build_coordinates(recipe: Recipe, context: BuildContext) -> BuildContext:
    """Returns the context with the recipe's coordinates, each built knowing those before it."""
    for part in recipe.parts.get("coordinate", ()):
        seeded = context.replace(seed=part_seed(context.seed, part.use))
        context = context.replace(
            coordinates=(*context.coordinates, build("coordinate", part.use, context=seeded, **part.settings))
        )
    return context


def build_energy(recipe: Recipe, context: BuildContext) -> Any:
    """Builds the energy inside its wrappers, innermost first."""

    def backbone(event_shape: tuple[int, ...] = context.event_shape, index: int = 0, **changes: Any) -> Any:
        name = "energy" if index == 0 else f"energy.{index}"
        part, inner = (
            recipe.part("energy"),
            context.replace(event_shape=event_shape, seed=part_seed(context.seed, name)),
        )
        return build("energy", part.use, context=inner, **{**part.settings, **changes})

    make: Callable[..., Any] = backbone
    energy = make()
    for part in recipe.parts.get("wrapper", ()):
        make = _wrapping(part, make, context)
        energy = make(inner=energy)
    return energy


def _wrapping(part: Part, make_inner: Callable[..., Any], context: BuildContext) -> Callable[..., Any]:
    def make(
        event_shape: tuple[int, ...] = context.event_shape, index: int = 0, inner: Any = None, **changes: Any
    ) -> Any:
        wrapped = make_inner(event_shape=event_shape, index=index, **changes) if inner is None else inner
        name = part.use if index == 0 else f"{part.use}.{index}"
        own = replace(
            context, event_shape=event_shape, inner=wrapped, make_inner=make_inner, seed=part_seed(context.seed, name)
        )
        return build("wrapper", part.use, context=own, **part.settings)

    return make


def build_sampler(parts: Iterable[Part], context: BuildContext) -> Any:
    """Builds one sampler, or the sequence of several."""
    built = [build("sampler", part.use, context=context, **part.settings) for part in parts]
    return built[0] if len(built) == 1 else Sequence(built)


def build_objectives(recipe: Recipe, context: BuildContext, energy: Any) -> Mapping[str, Any]:
    """Builds the objectives by name; `context.inner` is the energy they will score."""
    return {
        part.use: build(
            "objective",
            part.use,
            context=context.replace(inner=energy, seed=part_seed(context.seed, part.use)),
            **part.settings,
        )
        for part in recipe.parts["objective"]
    }

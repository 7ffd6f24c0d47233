"""The sampler that somebody names for chains outside a run."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, cast

from ebmkit.assembly.build import build
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.host import host
from ebmkit.point import Point
from ebmkit.protocols.sampler import Sampler
from ebmkit.recipes.recipe import Part, part_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

QUICK = {"adapt": "dual-averaging", "adapt_every": 1}
"""How a step learns in a short burn-in; the defaults are made for training, which is long."""


def sampler_for(sampler: Sampler | str | DataclassInstance, point: Point) -> Sampler:
    """Returns a sampler for chains at temperature 1: as it is where it is built, else from its settings or its name.

    Raises:
        RecipeError: there is no such sampler, or a setting cannot be.
        CapabilityError: it cannot move such chains.
    """
    if not isinstance(sampler, str) and callable(getattr(sampler, "step", None)):
        return cast(Sampler, sampler)
    part = Part(sampler) if isinstance(sampler, str) else part_of("sampler", cast("DataclassInstance", sampler))
    quick = quick_to_adapt(part)
    context = BuildContext(event_shape=tuple(point.x.shape[1:]), device=point.x.device)
    return cast(Sampler, build("sampler", quick.use, context=context, **quick.settings))


def quick_to_adapt(part: Part) -> Part:
    """Returns a sampler whose step learns from each transition, where it has one and nobody said how it learns."""
    has = {field.name for field in fields(host().get("sampler", part.use).config)}
    if not QUICK.keys() <= has or QUICK.keys() & part.settings.keys():
        return part
    return replace(part, settings={**part.settings, **QUICK})

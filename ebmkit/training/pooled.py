"""What the chains of all processes together say: what samplers learn from, and what they keep on record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from ebmkit.processes import World
from ebmkit.protocols.sampler import Adaptive, Composite, Sampler, SamplerInfo, Tuning


def pooled_info(sampler: Sampler, info: SamplerInfo, world: World) -> SamplerInfo:
    """Returns the diagnostics of a transition with the chains of all processes, where a part learns from them."""
    if world.size == 1:
        return info
    if isinstance(sampler, Composite):
        both = zip(sampler.children, info.children, strict=True)
        info = replace(info, children=tuple(pooled_info(child, its, world) for child, its in both))
    if not isinstance(sampler, Adaptive):
        return info
    return replace(info, start=info.start.map(world.rows), accept_rate=world.rows(info.accept_rate))


def pooled_tuning(before: Tuning, after: Tuning, world: World) -> Tuning:
    """Returns the tuning after a transition, what the transition itself wrote there being the mean of all processes."""
    if world.size == 1:
        return after
    kept: dict[str, Any] = {}
    for name in sorted(after):  # in one order everywhere
        value, old = after[name], before.get(name)
        if isinstance(value, Mapping):
            kept[name] = pooled_tuning(old if isinstance(old, Mapping) else {}, value, world)
        else:
            kept[name] = value if value is old else _mean(value, world)
    return {name: kept[name] for name in after}


def _mean(value: Tensor, world: World) -> Tensor:
    if value.is_floating_point():
        return world.total(value.detach()) / world.size
    return world.total(value.double()).div(world.size).round().to(value.dtype)

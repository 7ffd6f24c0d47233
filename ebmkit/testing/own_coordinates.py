"""Coordinates that samplers add to chains, whose law is known: a momentum, and replicas at higher temperatures."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.point import Point
from ebmkit.protocols.sampler import Sampler
from ebmkit.testing.law import Law, Statistic, seeded
from ebmkit.testing.statistics import N_REFERENCE, Deviation, deviations, histogram_z

MOMENTUM, REPLICAS = "momentum", "replicas"
SAID = (
    "a momentum (standard normal) and replicas (x at the temperatures of the sampler's `ladder`, T_k/T, coldest first)"
)
"""What the kit knows, for messages."""


def started_with(sampler: Sampler, law: Law, start: Point) -> Point:
    """Returns exact draws of a law with exact draws of the sampler's own coordinates, as far as their law is known."""
    if MOMENTUM in sampler.traits.moves:
        x = start.x
        start = start.with_aux(momentum=torch.randn(x.shape, generator=seeded(2), dtype=x.dtype))
    ratios = _hot_ratios(sampler)
    if REPLICAS in sampler.traits.moves and ratios:
        rng = seeded(3)
        replicas = [law.draw_hot(start, ratio, rng).to(start.x.dtype) for ratio in ratios]
        start = start.with_aux(replicas=torch.stack(replicas, dim=1))
    return start


def all_deviations(sampler: Sampler, law: Law, point: Point) -> dict[str, Deviation]:
    """Returns how far each statistic of x, and of the sampler's own coordinates, is off."""
    more: dict[str, tuple[Statistic, float]] = {}
    if MOMENTUM in point.aux:
        more = {"square of the momentum": (_momentum_square, 1.0)}
    found = deviations(law, point, more)
    if REPLICAS in point.aux:
        exact = law.draw(N_REFERENCE, seeded(78))
        for k, ratio in enumerate(_hot_ratios(sampler)):
            wanted = law.energy(exact.replace(x=law.draw_hot(exact, ratio, seeded(79 + k))))
            seen = law.energy(point.replace(x=point.aux[REPLICAS][:, k]))
            found[f"histogram of the energy at {ratio:g} T"] = Deviation(z=histogram_z(seen, wanted))
    return found


def _hot_ratios(sampler: Sampler) -> list[float]:
    """Returns T_k/T of the replicas, that of x left out."""
    ladder: Tensor | None = getattr(sampler, "ladder", None)
    return [] if ladder is None else [float(ratio) for ratio in ladder[1:]]


def _momentum_square(point: Point) -> Tensor:
    return point.aux[MOMENTUM].flatten(1).square().mean(dim=1)

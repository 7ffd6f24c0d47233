"""A sampler built for a known law, with chains that start exactly in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, float64

from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import Sampler, SamplerState
from ebmkit.testing.check import NotApplicable
from ebmkit.testing.examined import Examined
from ebmkit.testing.law import Law, seeded
from ebmkit.testing.own_coordinates import SAID, started_with
from ebmkit.testing.targets import DISCRETE_LAWS, LAWS, noise
from ebmkit.views.view import view

EVERY = (*LAWS, *DISCRETE_LAWS)
"""Laws that an adjusted sampler is held against."""
BRISK = {"moves": 4, "n_leapfrog": 4, "max_depth": 3, "n_temperatures": 3}
"""Upper bounds of counts that samplers are set to: what is exact is exact for few."""
STEPS = (1.0, 0.3, 0.1)
"""Shares of a law's step that are tried until proposals are accepted."""
ENOUGH = 0.1
"""The acceptance at which no shorter step is tried. A law cannot be seen to be left where nothing moves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """A sampler at exact draws of a law.

    Attributes:
        sampler: built for the law, at its temperature.
        view: of the energy.
        state: where it starts.
        law: of the start.
    """

    sampler: Sampler
    view: EnergyView
    state: SamplerState
    law: Law


class Scaled:
    """E times a factor: a law at temperature 1 is that of its energy times T, at T."""

    def __init__(self, energy: Any, factor: float) -> None:
        self.energy, self.factor = energy, factor
        self.abilities: frozenset[str] = getattr(energy, "abilities", frozenset())

    def __call__(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        value: Tensor = self.factor * self.energy(point)
        return value

    def levels(self, point: Point, name: str) -> Tensor:
        """Returns the energies of all values of a coordinate [B, L], nats."""
        value: Tensor = self.factor * self.energy.levels(point, name)
        return value


def brisk(part: Examined, step: float | None) -> dict[str, object]:
    """Returns settings under which a transition is cheap, and its step as asked, where the part has such settings."""
    bounds = {name: (part.default(name), most) for name, most in BRISK.items() if name in part.setting_names}
    found: dict[str, object] = {n: min(was, most) for n, (was, most) in bounds.items() if isinstance(was, int)}
    return found if step is None else {**found, "step_size": step}


def started(part: Examined, law: Law, n: int, *, temperature: float = 1.0, double: bool = False) -> Started:
    """Returns a sampler and n chains in a law, with the longest step at which enough is accepted.

    Raises:
        NotApplicable: it moves other values, or coordinates whose law is not known here.
    """
    if part.traits.only_augments and law is not noise:
        raise NotApplicable("it changes x without the energy, and claims no law")
    tried: list[tuple[float, float]] = []
    for share in STEPS:
        pilot = _started(part, law, 200, law.step * share, temperature, double)
        if "step_size" not in part.setting_names or not pilot.sampler.traits.moves_x:
            break
        rate = float(pilot.sampler.step(pilot.view, pilot.state)[1].accept_rate.mean())
        tried.append((rate, share))
        if rate > ENOUGH:
            break
    best = max(tried)[1] if tried else STEPS[0]
    return _started(part, law, n, law.step * best, temperature, double)


def _started(part: Examined, law: Law, n: int, step: float, temperature: float, double: bool) -> Started:
    context = law.context(temperature).replace(dtype=float64 if double else None)
    sampler: Sampler = part.built(context, **brisk(part, step))
    traits = sampler.traits
    if traits.moves_x and traits.discrete != (law.x_values != "real"):
        raise NotApplicable(f"it moves {'discrete' if traits.discrete else 'real-valued'} x")
    start = law.draw(n, seeded(1))
    if double:
        start = start.map(lambda t: t.double() if t.is_floating_point() else t)
    start = started_with(sampler, law, start)
    state = sampler.init(start, seeded(1001))
    unknown = sorted({*state.point.aux, *traits.coordinates} - start.aux.keys())
    if unknown:
        raise NotApplicable(f"it moves '{unknown[0]}', whose law is not known here; known are levels, {SAID}")
    energy = law.energy if temperature == 1.0 else Scaled(law.energy, temperature)
    return Started(sampler=sampler, view=view(energy), state=replace(state, point=start), law=law)


def fitting(part: Examined, n: int, *, double: bool = False, laws: tuple[Law, ...] = (*EVERY, noise)) -> Started:
    """Returns a sampler in the first law that it can start from; raises the first NotApplicable where there is none."""
    reasons: list[NotApplicable] = []
    for law in laws:
        try:
            return started(part, law, n, double=double)
        except NotApplicable as why:
            reasons.append(why)
    raise reasons[0]


def two_shapes(part: Examined, n: int, *, double: bool = False) -> tuple[Started, ...]:
    """Returns a sampler in the first and the last law that it can start from: two shapes, where there are two."""
    first = fitting(part, n, double=double)
    last = fitting(part, n, double=double, laws=(*reversed(EVERY), noise))
    return (first,) if last.law is first.law else (first, last)

"""The registered samplers as the laws see them: chosen by their declarations, built brisk, started anywhere."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from ebmkit import BuildContext, Component, Point, Selection, Tail
from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError
from ebmkit.plugins.host import host
from ebmkit.protocols.sampler import SamplerInfo, SamplerState
from ebmkit.testing.law import Law, seeded
from ebmkit.testing.targets import DISCRETE_LAWS, LAWS, joint
from ebmkit.views.view import view

BRISK = {
    "mala": lambda step: {"moves": 4, "step_size": step},
    "hmc": lambda step: {"moves": 1, "n_leapfrog": 4, "step_size": step},
    "underdamped": lambda step: {"moves": 4, "step_size": step},
    "nuts": lambda step: {"max_depth": 3, "step_size": step},
    "sgld": lambda step: {"moves": 4, "step_size": step**2 / 2},
    "tempering": lambda step: {"n_temperatures": 3, "highest": 4.0, "moves": 2, "step_size": step},
    "recovery-langevin": lambda step: {"moves": 4, "step_size": step},
    "gibbs-with-gradients": lambda step: {"moves": 3},
}


OWN_LEVELS = ("annealed",)
"""They walk along the levels of their package, whose tests hold their laws."""


def words(component: Component) -> frozenset[str]:
    return frozenset(component.ask("gives", component.config(), Selection()))


def discrete(name: str) -> bool:
    return "sampler.discrete" in words(host().get("sampler", name))


def samplers(*asked: str) -> list[str]:
    """The registered samplers that declare any of these words."""
    found = [part for part, _ in host().all() if part.kind == "sampler" and part.name not in OWN_LEVELS]
    return [c.name for c in found if words(c) & set(asked)]


def stepped(*asked: str) -> list[str]:
    """Those of them whose moves of x have a step size."""
    return [name for name in samplers(*asked) if hasattr(host().get("sampler", name).config(), "step_size")]


@cache
def added(name: str, law: Law) -> frozenset[str] | None:
    """The coordinates that a sampler adds to points of a law when it starts, None where it cannot start there."""
    if discrete(name) != (law.x_values != "real"):
        return None
    point = law.draw(2, seeded(0))
    try:
        state = built(name, law.step, law.context()).init(point, seeded(0))
    except CapabilityError:
        return None
    return frozenset(state.point.aux) - frozenset(point.aux)


def fits(name: str, law: Law) -> bool:
    """Whether a sampler starts from points of a law and adds nothing to them whose law could be another."""
    return added(name, law) == frozenset()


def pairs(*asked: str) -> list[tuple[str, Law]]:
    """Each of the samplers with every law that it fits."""
    return [(name, law) for name in samplers(*asked) for law in (*LAWS, *DISCRETE_LAWS) if fits(name, law)]


def titled(value: Any) -> str:
    return value.name if isinstance(value, Law) else str(value)


def built(name: str, step: float = 0.5, context: BuildContext | None = None, **config: Any) -> Any:
    fewer = {"moves": 4} if getattr(host().get("sampler", name).config(), "moves", 0) > 4 else {}
    brisk = BRISK[name](step) if name in BRISK else fewer
    return build("sampler", name, context=context, **{**brisk, **config})


def moved(
    sampler: Any, energy: Any, point: Point, seed: int = 0, transitions: int = 1, tail: Tail | None = None
) -> tuple[SamplerState, SamplerInfo]:
    seen = energy if hasattr(energy, "energy_and_gradient") else view(energy)
    state = sampler.init(point, seeded(seed))
    for _ in range(transitions):
        state, info = sampler.step(seen, state, tail=tail)
    return state, info


def context_of(shape: tuple[int, ...], **more: Any) -> BuildContext:
    """A context of events of any shape, with a level of three values."""
    return BuildContext(event_shape=shape, coordinates=joint.coordinates, **more)


def start_of(name: str, n: int, shape: tuple[int, ...], seed: int = 0) -> Point:
    """Rows that a sampler can move, with a level and a coordinate that nobody knows."""
    x = torch.randn(n, *shape, generator=seeded(seed))
    level = torch.zeros(n, dtype=torch.int64)
    return Point(x=(x > 0).float() if discrete(name) else x, aux={"level": level, "colour": torch.arange(n)})


class AnyShape:
    """½‖x‖² of any event shape, with three values of a level that change nothing."""

    abilities = frozenset({"levels.level"})

    def __call__(self, point: Point) -> torch.Tensor:
        return point.x.flatten(1).square().sum(dim=1) / 2

    def levels(self, point: Point, name: str = "level") -> torch.Tensor:
        return self(point)[:, None].expand(-1, 3)

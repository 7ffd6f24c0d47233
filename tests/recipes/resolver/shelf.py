"""A shelf of parts that exist in name only, for laws of the resolver."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from annotated_types import Gt

from ebmkit.errors import CapabilityError, EbmkitError
from ebmkit.plugins.component import Component, Include, Need, NoConfig, Selection
from ebmkit.plugins.host import Host
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.recipes.resolver.resolve import Resolution, resolve


@dataclass(frozen=True, kw_only=True)
class Net:
    head: str = "linear"
    labels: bool = False
    width: Annotated[int, Gt(0)] = 8


@dataclass(frozen=True, kw_only=True)
class Weight:
    weight: float = 1.0


QUIET = SamplerTraits(asks_gradient=False)
"""A sampler that gives no word."""


def declared(kind: str, name: str, config: type = NoConfig, **more: Any) -> Component:
    if kind == "sampler":
        more.setdefault("traits", QUIET)
    return Component(kind=kind, name=name, config=config, build="n:x", summary="", **more)


def _gives(config: Net, selection: Selection) -> tuple[str, ...]:
    words = ("energy.features", f"energy.{config.head}")
    return (*words, "energy.labels") if config.labels else words


def _hot(config: Any, selection: Selection) -> str:
    return f"at temperature {selection.temperature:g} it diverges" if selection.temperature >= 0.1 else ""


def _beside_exact(config: Any, selection: Selection) -> str:
    return "an exact sampler is beside it" if "sampler.exact" in selection.capabilities else ""


SQUARED = Need("energy.half-squared-norm", config={"head": "half-squared-norm"})
SHAKE = Include("sampler", "shake", before="sampler.unadjusted")
COLD = {"temperature": 0.01}
SHELF = (
    declared("dataset", "fashion-mini"),
    declared("energy", "resnet", Net, gives=_gives),
    declared("energy", "plain"),
    declared("buffer", "replay"),
    declared("buffer", "reservoir"),
    declared("sampler", "sgld", traits=SamplerTraits(tail="keeps")),
    declared("sampler", "exactly", traits=SamplerTraits(adjusted=True)),
    declared("sampler", "shake", refuse=_beside_exact),
    declared("sampler", "visit", traits=SamplerTraits(moves={"level"}, adjusted=True)),
    declared(
        "coordinate", "level", needs=(Need("energy.levels.level", default="by-level"), Need("moves.level", "visit"))
    ),
    declared("coordinate", "label", needs=(Need("energy.labels", config={"labels": True}),)),
    declared("wrapper", "latent-head", Weight, needs=(Need("energy.features"),), gives=("energy.latent",)),
    declared("wrapper", "other-head", needs=(Need("energy.features"),), gives=("energy.latent",)),
    declared("wrapper", "by-level", needs=(Need("point.level"),), gives=("energy.levels.level",)),
    declared("wrapper", "blind", hides=("energy.features",)),
    declared("wrapper", "anew", needs=(Need("energy.features"),), gives=("energy.features",)),
    declared("objective", "cd", gives=("objective.fit",)),
    declared("objective", "penalty", Weight, skip=_hot),
    declared("objective", "guide", Weight, optim={"use": "sgd", "lr": 0.5}, needs=(
        SQUARED, Need("energy.latent", default="latent-head"), Need("objective.fit", default="cd"),
    ), includes=(Include("objective", "penalty", reason="it bounds"), SHAKE)),
    declared("objective", "guide-two", includes=(SHAKE, Include("objective", "penalty"))),
    declared("objective", "leveller", needs=(Need("point.level", default="level"),)),
    declared("objective", "featured", needs=(Need("energy.features"),)),
    declared("objective", "tailed", needs=(Need("sampler.tail"),)),
)  # fmt: skip


def shelf(*more: Component) -> Host:
    found = Host()
    for component in (*SHELF, *more):
        found.register(component)
    return found


def resolution(
    *more: Component, event_shape: Any = None, run: Any = None, optim: Any = None, **asked: str
) -> Resolution:
    """Resolves what was asked as on the command line: `objective="a+b"`."""
    parts = {table: tuple(Part(name) for name in names.split("+")) for table, names in asked.items()}
    return resolve(Recipe(parts=parts, tables={"run": run or {}}, optim=optim or {}), shelf(*more), event_shape)


def used(recipe: Recipe, table: str) -> list[str]:
    return [part.use for part in recipe.parts.get(table, ())]


def refused(*more: Component, kind: type[EbmkitError] = CapabilityError, **asked: Any) -> str:
    with pytest.raises(kind) as caught:
        resolution(*more, **asked)
    return str(caught.value)

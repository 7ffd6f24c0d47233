"""A part among the parts that it needs, as a run would assemble them, at the smallest data that it can work on."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import complete
from ebmkit.assembly.given import given_part
from ebmkit.data.given import given_data
from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, DataError, RecipeError
from ebmkit.plugins.component import Component, Selection
from ebmkit.plugins.host import host
from ebmkit.point import Batch, Point
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined
from ebmkit.testing.law import seeded
from ebmkit.training.parts import Parts
from ebmkit.training.step import lift
from ebmkit.views.frozen import iterate_parametrisations

N = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Assembled:
    """Parts, and data for them.

    Attributes:
        parts: of a run with the part that is looked at.
        batch: of its data.
        value_range: of x.
        backbone: the energy by name, where the part is another one.
    """

    parts: Parts
    batch: Batch
    value_range: tuple[float, float] | None
    backbone: str

    def point(self, n: int = N) -> Point:
        """Returns the batch, or its first rows, lifted by every coordinate."""
        return lift(self.parts.coordinates, self.batch, seeded(21)).map(lambda tensor: tensor[:n])

    def bare(self) -> Any:
        """Returns the energy as it is without any wrapper."""
        return _parts({"energy": (Part(use=self.backbone),)}, self.batch.x, None, trains=False).energy

    def energy(self) -> Any:
        """Returns a copy of the energy, in the mode in which it is trained, whose norms have been iterated once."""
        energy = deepcopy(self.parts.energy)
        if isinstance(energy, nn.Module):
            with parametrize.cached():
                iterate_parametrisations(energy)
        return energy


def assembled(part: Examined) -> Assembled:
    """Returns a part among others; raises NotApplicable where no data of the kit suit it."""
    return _assembled(part.component.kind, part.component.name, tuple(sorted(part.settings.items())))


@cache
def _assembled(kind: str, name: str, settings: tuple[tuple[str, object], ...]) -> Assembled:
    reason, own = "", Part(use=name, settings=dict(settings))
    seen = _coordinates_seen_by(host().get(kind, name), own.settings) if kind in ("energy", "wrapper") else ()
    for energy, x, y in _data():
        asked = {"energy": (Part(use=energy),), kind: (own,), **({"coordinate": seen} if seen else {})}
        try:
            made = _parts(asked, x, y, trains=kind == "objective")
        except (CapabilityError, DataError, RecipeError) as error:
            reason = str(error).split(". ")[0]
            continue
        if not callable(made.energy):
            raise CheckFailed(
                f"{own.use} built {type(made.energy).__name__}, which cannot be asked. An energy maps a Point to [B]."
            )
        bounds = (0.0, 1.0) if x.ndim > 2 else None
        batch = Batch(x=x[:N], y=None if y is None else y[:N])
        return Assembled(parts=made, batch=batch, value_range=bounds, backbone=energy)
    raise NotApplicable(f"it suits none of the data of the kit: {reason}")


def _coordinates_seen_by(component: Component, settings: Mapping[str, Any]) -> tuple[Part, ...]:
    """Returns the coordinates that need what an energy gives under these settings: one with labels wants a label."""
    config, selection = component.config(**settings), Selection()
    config = config.settled(selection) if hasattr(config, "settled") else config
    given = set(component.ask("gives", config, selection))
    found = []
    for other, _ in host().all():
        if other.kind == "coordinate" and not callable(other.needs):
            asked = {need.word for need in other.needs if need.word.startswith("energy.")}
            found += [Part(use=other.name)] if asked and asked <= given else []
    return tuple(found)


def _parts(asked: Mapping[str, tuple[Part, ...]], x: Tensor, y: Tensor | None, *, trains: bool) -> Parts:
    """Returns parts as a run has them, without the look that a run takes at them: it would speak before each check.

    Args:
        asked: parts by table.
        x: data.
        y: labels.
        trains: they are to make a training step; else they need neither a buffer nor a weight.
    """
    dataset = given_data(x if y is None else (x, y), device="cpu")
    run = {"batch_size": N, "device": "cpu", "engine": "eager", "chunk": 0, "checked_steps": 0}
    recipe = Recipe(parts={**asked, "data": (given_part("data", dataset, host()),)}, tables={"run": run})
    made = complete(recipe)
    if not trains:
        return assemble(made.recipe, data=DataSpec.of(dataset), with_data=False).parts
    return replace(assemble(made.recipe, dataset=made.dataset).parts, checker=None)


def _data() -> tuple[tuple[str, Tensor, Tensor | None], ...]:
    """Returns an energy by name, x and labels: points of the plane, grey images, colour images."""
    rng, y = seeded(20), torch.arange(64) % 4
    plane, grey = torch.randn(64, 2, generator=rng), torch.rand(64, 1, 16, 16, generator=rng)
    colour = torch.rand(64, 3, 32, 32, generator=rng)
    return ("mlp", plane, None), ("mlp", plane, y), ("mlp", grey, y), ("resnet", grey, y), ("resnet", colour, y)

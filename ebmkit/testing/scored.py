"""An objective among the parts of a step, and what it makes of phases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace

from torch import Generator, Tensor

from ebmkit.point import Batch, Point
from ebmkit.protocols.objective import Phases
from ebmkit.rng import stream
from ebmkit.testing.assembled import assembled
from ebmkit.testing.check import NotApplicable
from ebmkit.testing.examined import Examined
from ebmkit.training.parts import Parts
from ebmkit.training.step import run_phases
from ebmkit.views.view import view


def made(part: Examined) -> tuple[Parts, Batch]:
    """Returns copies of the parts of a step, of which the objective is one, and of data for them.

    Objectives that come along are there: one of them may ask for chains, which this one then sees.
    """
    among = assembled(part)
    parts = deepcopy(among.parts)
    return replace(parts, view=view(parts.energy)), deepcopy(among.batch)


def phases_of(parts: Parts, batch: Batch) -> Phases:
    """Returns the phases of the first step."""
    return run_phases(parts, batch, 1, {})[0]


def losses_of(parts: Parts, phases: Phases, name: str) -> Mapping[str, Tensor]:
    """Returns what an objective makes of phases; raises NotApplicable where that is no scalars, which a check says."""
    losses = parts.objectives[name].losses(parts.energy, phases.seen_by(name))
    if not isinstance(losses, Mapping) or not all(
        isinstance(loss, Tensor) and not loss.ndim for loss in losses.values()
    ):
        raise NotApplicable("its losses are not scalars by name")
    return losses


def shown(
    parts: Parts,
    phases: Phases,
    *,
    batch: Batch | None = None,
    positive: Point | None = None,
    negative: Point | None = None,
    rng: Callable[[str], Generator] = lambda name: stream(60, 0, name),
) -> Phases:
    """Returns phases with an empty memory, some of them replaced."""
    return Phases(
        energy=parts.energy,
        batch=phases.batch if batch is None else batch,
        positive=phases.positive if positive is None else positive,
        negative=phases.negative if negative is None else negative,
        tail=phases.tail,
        reference=phases.reference,
        abilities=parts.requires.abilities,
        rng=rng,
        constant=parts.view.constant if parts.requires.tail_moves else None,
    )

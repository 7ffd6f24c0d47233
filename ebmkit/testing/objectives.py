"""What every objective promises: losses that can be minimised, in its own and the energy's parameters, no more."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import torch
from torch import Generator

from ebmkit.point import Batch, Point
from ebmkit.rng import stream
from ebmkit.testing.assembled import assembled
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.law import seeded
from ebmkit.testing.ownership import contrasts_the_phases, trains_its_own
from ebmkit.testing.scored import losses_of, made, phases_of, shown
from ebmkit.training.checker.objectives import check_objectives
from ebmkit.views.view import view


def keeps_its_hands_off(part: Examined) -> None:
    """Raises PluginError where an objective does more than return losses, or trains what is not its own."""
    among = assembled(part)
    parts = deepcopy(among.parts)
    parts = replace(parts, view=view(parts.energy))
    check_objectives(parts, parts, phases_of(parts, among.batch))


def keeps_nothing(part: Examined) -> None:
    """Raises CheckFailed where the same phases give other losses when they are scored again."""
    parts, batch = made(part)
    name, phases = part.component.name, phases_of(parts, batch)
    first = {key: loss.detach().clone() for key, loss in losses_of(parts, shown(parts, phases), name).items()}
    for _ in range(2):
        for key, loss in losses_of(parts, shown(parts, phases), name).items():
            if key not in first or not torch.allclose(loss, first[key], rtol=1e-4, atol=1e-6, equal_nan=True):
                before = f"{float(first[key]):.5g}" if key in first else "absent"
                raise CheckFailed(
                    f"loss '{key}' was {before}, and {float(loss.detach()):.5g} when the same phases were scored "
                    "again: it keeps something from step to step. Chains live in the buffer and are moved by "
                    'samplers, and what is random comes from phases.rng("NAME").'
                )


def does_not_know_the_order(part: Examined) -> None:
    """Raises CheckFailed where the losses change with the order of the rows."""
    parts, batch = made(part)
    name, drawn = part.component.name, list[str]()

    def rng(phase: str) -> Generator:
        drawn.append(phase)
        return stream(60, 0, phase)

    phases, order = phases_of(parts, batch), torch.randperm(len(batch), generator=seeded(61))

    def turned(point: Point | None) -> Point | None:
        return None if point is None else point.map(lambda t: t[order])

    other = Batch(x=batch.x[order], y=None if batch.y is None else batch.y[order])
    first = losses_of(parts, shown(parts, phases, rng=rng), name)
    again = losses_of(
        parts,
        shown(parts, phases, batch=other, positive=turned(phases.positive), negative=turned(phases.negative), rng=rng),
        name,
    )
    if drawn:
        raise NotApplicable("it draws random numbers for each row, which belong to places")
    for key, loss in first.items():
        if not torch.allclose(loss, again[key], rtol=1e-4, atol=1e-5):
            found = float(again[key].detach())
            raise CheckFailed(
                f"loss '{key}' is {float(loss.detach()):.5g}, and {found:.5g} with data and chains in another order. "
                "Rows are independent draws: take means over them."
            )


PROMISES = (
    Promise(name="losses", text="finite scalars with a graph, and nothing else is touched", look=keeps_its_hands_off),
    Promise(name="repeatable", text="the same phases give the same losses", look=keeps_nothing),
    Promise(name="order", text="the order of rows does not matter", look=does_not_know_the_order),
    Promise(name="owners", text="a loss trains the energy or the objective's own parameters", look=trains_its_own),
    Promise(
        name="contrast", text="a contrast lowers data, raises chains and is 0 between equals", look=contrasts_the_phases
    ),
)
"""Of every objective."""

"""What every objective promises: losses that can be minimised, in its own and the energy's parameters, no more."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import torch
from torch import Generator

from ebmkit.point import Batch
from ebmkit.protocols.objective import Phases
from ebmkit.rng import stream
from ebmkit.testing.assembled import assembled
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.law import seeded
from ebmkit.training.checker.objectives import check_objectives
from ebmkit.training.parts import Parts
from ebmkit.training.step import run_phases
from ebmkit.views.view import view


def _made(part: Examined) -> tuple[Parts, Batch]:
    """Returns copies of parts of which the objective is one, alone, with the energy in evaluation mode."""
    among = assembled(part)
    parts = deepcopy(among.parts)
    name = part.component.name
    alone = replace(parts, objectives={name: parts.objectives[name]}, view=view(parts.energy))
    return alone, among.batch


def _phases(parts: Parts, batch: Batch) -> Phases:
    return run_phases(parts, batch, 1, {})[0]


def keeps_its_hands_off(part: Examined) -> None:
    """Raises PluginError where an objective does more than return losses, or trains what is not its own."""
    among = assembled(part)
    parts = deepcopy(among.parts)
    parts = replace(parts, view=view(parts.energy))
    check_objectives(parts, parts, _phases(parts, among.batch))


def does_not_know_the_order(part: Examined) -> None:
    """Raises CheckFailed where the losses change with the order of the rows."""
    parts, batch = _made(part)
    name, drawn = part.component.name, list[str]()

    def rng(phase: str) -> Generator:
        drawn.append(phase)
        return stream(60, 0, phase)

    phases, order = _phases(parts, batch), torch.randperm(len(batch), generator=seeded(61))

    def losses(turn: bool) -> dict[str, torch.Tensor]:
        def turned(point: object) -> object:
            return point.map(lambda t: t[order]) if turn and hasattr(point, "map") else point

        y = None if batch.y is None else batch.y[order]
        data = Batch(x=batch.x[order], y=y) if turn else batch
        seen = Phases(
            energy=parts.energy, batch=data, positive=turned(phases.positive), negative=turned(phases.negative),  # type: ignore[arg-type]
            tail=phases.tail, reference=phases.reference, abilities=parts.requires.abilities, rng=rng,
            constant=parts.view.constant if parts.requires.tail_moves else None,
        )  # fmt: skip
        return dict(parts.objectives[name].losses(parts.energy, seen.seen_by(name)))

    first, again = losses(False), losses(True)
    if drawn:
        raise NotApplicable("it draws random numbers for each row, which belong to places")
    for key, loss in first.items():
        if not torch.allclose(loss, again[key], rtol=1e-4, atol=1e-5):
            raise CheckFailed(
                f"loss '{key}' is {float(loss):.5g}, and {float(again[key]):.5g} with data and chains in another "
                "order. Rows are independent draws: take means over them."
            )


PROMISES = (
    Promise(name="losses", text="finite scalars with a graph, and nothing else is touched", look=keeps_its_hands_off),
    Promise(name="order", text="the order of rows does not matter", look=does_not_know_the_order),
)  # fmt: skip
"""Of every objective."""

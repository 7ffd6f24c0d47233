"""Objectives that break one promise each, and a right one beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ebmkit import BuildContext, Component, Energy, NoConfig, Phases, Requires

HERE = "tests.testing.doubles_of_objectives"


class Objective:
    """The gap of the energies, or what a double makes of it."""

    requires = Requires()

    def __init__(self, loss: Callable[[Any, Phases, Tensor], Tensor]) -> None:
        self.loss = loss

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        gap = phases.evaluate("positive").mean() - phases.evaluate("negative").mean()
        return {"loss": self.loss(energy, phases, gap)}


def right(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    return gap


def by_row(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    return phases.evaluate("positive") - phases.evaluate("negative")


def detached(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    return gap.detach() + 1


def sampling(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    """It moves chains itself, with a stream of its own."""
    moved = phases.positive.replace(x=phases.positive.x + 0.1 * torch.randn_like(phases.positive.x))
    return gap - energy(moved).mean()


def writing(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    assert phases.negative is not None
    phases.negative.x.data.add_(0.1)
    return gap


def tuning(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    next(energy.parameters()).data.mul_(0.99)
    return gap


def stepping(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    gap.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    return gap


def places(energy: Any, phases: Phases, gap: Tensor) -> Tensor:
    """Later rows weigh more."""
    energies = phases.evaluate("positive")
    return gap + (energies * torch.arange(len(energies))).mean()


def _builder(loss: Callable[[Any, Phases, Tensor], Tensor]) -> Callable[[NoConfig, BuildContext], Objective]:
    return lambda config, context: Objective(loss)


build_right, build_by_row, build_detached = _builder(right), _builder(by_row), _builder(detached)
build_sampling, build_writing, build_tuning = _builder(sampling), _builder(writing), _builder(tuning)
build_stepping, build_places = _builder(stepping), _builder(places)


def part(name: str) -> Component:
    build = f"{HERE}:build_{name.replace('-', '_')}"
    return Component(kind="objective", name=f"{name}-double", build=build, summary="a double")


RIGHT = (part("right"),)
WRONG: tuple[tuple[Component, str, str], ...] = (
    (part("by-row"), "losses", "objectives return scalars. Take its mean"),
    (part("detached"), "losses", "without a graph, so that it trains nothing"),
    (part("sampling"), "losses", "global random stream"),
    (part("writing"), "losses", "changed a phase in place.*never move chains"),
    (part("tuning"), "losses", "changed parameters.*the optimiser changes parameters"),
    (part("stepping"), "losses", "called backward itself"),
    (part("places"), "order", "in another order. Rows are independent draws"),
)
"""Double, the promise that it breaks, and what the message must say."""

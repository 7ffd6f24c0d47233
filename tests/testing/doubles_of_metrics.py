"""Metrics that break one promise each, and a right one beside them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import torch

from ebmkit import BuildContext, Component, Estimate, Measured, NoConfig

HERE = "tests.testing.doubles_of_metrics"
DEFINITION = "Mean energy of the held-out data, nats."


class Mean:
    """The mean energy of held-out data; `wrong` may change what is said of it."""

    def __init__(self, wrong: Callable[[Any, float], Measured] | None = None) -> None:
        self.wrong = wrong

    def measure(self, subject: Any) -> Measured:
        value = float(subject.energy(subject.held_out().x).mean())
        return measured(value) if self.wrong is None else self.wrong(subject, value)


def measured(value: float, error: float = 0.1, definition: str = DEFINITION) -> Measured:
    return Measured(estimates={"energy": Estimate(value=value, error=error, n=200)}, definition=definition)


TIMES = count()
"""How often the restless double was asked."""


def wordless(subject: Any, value: float) -> Measured:
    return measured(value, definition="energy")


def no_number(subject: Any, value: float) -> Measured:
    return measured(float("nan"))


def negative(subject: Any, value: float) -> Measured:
    return measured(value, error=-1.0)


def restless(subject: Any, value: float) -> Measured:
    return measured(value + next(TIMES))


def writing(subject: Any, value: float) -> Measured:
    with torch.no_grad():
        next(subject.model.energy.parameters()).mul_(0.999)
    return measured(value)


def empty(subject: Any, value: float) -> Measured:
    return Measured(estimates={}, definition=DEFINITION)


def unfounded(subject: Any, value: float) -> Measured:
    return Measured(estimates={"energy": Estimate(value=value, error=0.1, n=0)}, definition=DEFINITION)


def renaming(subject: Any, value: float) -> Measured:
    return Measured(estimates={f"{next(TIMES)}": Estimate(value=value, error=0.1, n=9)}, definition=DEFINITION)


def switching(subject: Any, value: float) -> Measured:
    subject.model.energy.train(not subject.model.energy.training)
    return measured(value)


def _builder(wrong: Callable[[Any, float], Measured] | None = None) -> Callable[[NoConfig, BuildContext], Mean]:
    return lambda config, context: Mean(wrong)


build_right, build_wordless, build_no_number = _builder(), _builder(wordless), _builder(no_number)
build_negative, build_restless, build_writing = _builder(negative), _builder(restless), _builder(writing)


def build_nothing(config: NoConfig, context: BuildContext) -> None:
    return None


build_empty, build_unfounded = _builder(empty), _builder(unfounded)
build_renaming, build_switching = _builder(renaming), _builder(switching)


def part(name: str) -> Component:
    build = f"{HERE}:build_{name.replace('-', '_')}"
    return Component(kind="metric", name=f"{name}-double", build=build, summary="a double")


RIGHT = (part("right"),)
WRONG: tuple[tuple[Component, str, str], ...] = (
    (part("wordless"), "numbers", "its definition is 'energy'"),
    (part("no-number"), "numbers", "found no number for 'energy': it is NaN"),
    (part("negative"), "numbers", "the error of 'energy' is -1"),
    (part("nothing"), "numbers", "has no measure\\(subject\\)"),
    (part("empty"), "numbers", "found no number"),
    (part("unfounded"), "numbers", "rests on n = 0. It is the number of samples or data behind it"),
    (part("renaming"), "repeatable", "found other numbers when it was asked again"),
    (part("switching"), "untouched", "the energy was changed: its mode.*A metric looks"),
    (part("restless"), "repeatable", "from the same seed.*subject.rng"),
    (part("writing"), "untouched", "the energy was changed"),
)
"""Double, the promise that it breaks, and what the message must say."""

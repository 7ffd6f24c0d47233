"""The checks refuse every double, with the message that it must get, and pass what is right."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest

from ebmkit import register
from ebmkit.plugins.component import KINDS
from ebmkit.testing import declarations
from ebmkit.testing.check import Check, CheckFailed, outcome
from ebmkit.testing.choose import PROMISES
from ebmkit.testing.examined import Examined
from tests.testing import (
    doubles_of_buffers,
    doubles_of_data,
    doubles_of_declarations,
    doubles_of_energies,
    doubles_of_labelled_data,
    doubles_of_metrics,
    doubles_of_objectives,
    doubles_of_observers,
    doubles_of_samplers,
)

DOUBLES: tuple[Any, ...] = (
    doubles_of_samplers, doubles_of_energies, doubles_of_buffers, doubles_of_data, doubles_of_objectives,
    doubles_of_declarations, doubles_of_metrics, doubles_of_observers, doubles_of_labelled_data,
)  # fmt: skip
LEAST = {"sampler": 10, "energy": 9, "wrapper": 10, "coordinate": 4, "objective": 4, "dataset": 7}
WRONG = [case for module in DOUBLES for case in module.WRONG]
RIGHT = [component for module in DOUBLES for component in module.RIGHT]


def promises_of(kind: str) -> tuple[Any, ...]:
    return (*declarations.PROMISES, *PROMISES[kind])


def named(value: object) -> str:
    return str(getattr(value, "name", value))


def check(component: Any, name: str) -> Check:
    promise = next(p for p in promises_of(component.kind) if p.name == name)
    body = partial(promise.look, Examined(component=component))
    return Check(name=f"{component.name}/{name}", promise=promise.text, body=body)


@pytest.mark.usefixtures("fresh_host")
@pytest.mark.parametrize(("double", "name", "message"), WRONG, ids=named)
def test_a_double_is_refused_with_the_right_words(double: Any, name: str, message: str) -> None:
    register(double)
    with pytest.raises(CheckFailed) as failure:
        check(double, name).run()
    assert re.search(message, str(failure.value), re.DOTALL), str(failure.value)


def test_every_kind_has_promises() -> None:
    assert set(PROMISES) == set(KINDS)


def test_every_promise_has_a_double() -> None:
    refused = {(component.kind, name) for component, name, _ in WRONG}
    wanted = {(kind, p.name) for kind, promises in PROMISES.items() for p in promises}
    assert {p.name for p in declarations.PROMISES} <= {name for _, name, _ in WRONG}
    assert wanted <= refused


@pytest.mark.usefixtures("fresh_host")
@pytest.mark.parametrize("component", RIGHT, ids=named)
def test_what_is_right_passes(component: Any) -> None:
    register(component)
    found = [outcome(check(component, promise.name)) for promise in promises_of(component.kind)]
    assert [o.text for o in found if o.state == "failed"] == []
    assert sum(o.state == "holds" for o in found) >= LEAST.get(component.kind, len(found))


@pytest.mark.usefixtures("fresh_host")
def test_a_buffer_without_rows_passes_what_can_be_asked_of_it() -> None:
    double = doubles_of_buffers.part("at_data")
    register(double)
    states = {name: outcome(check(double, name)).state for name in ("stream", "dictionary", "saved", "filled")}
    assert states.pop("stream") == "holds" and set(states.values()) == {"not applicable"}


REJECTED = {
    "wrong temperature": ("sampler", "cold", "temperature"),
    "global random stream": ("sampler", "global", "pure"),
    "MALA with s²/2 in the ratio for s/2": ("sampler", "published", "law-gaussian"),
    "MALA with a proposal of variance 2h, its log density divided by 2h²": ("sampler", "two-h", "law-gaussian"),
    "HMC that restores the old momentum after a rejection": ("sampler", "old-momentum", "law-gaussian"),
    "HMC that forgets to negate the momentum": ("sampler", "no-flip", "law-gaussian"),
    "one accept decision for the whole batch": ("sampler", "one-number", "rows"),
    "batch norm in an energy": ("energy", "batch-norm-energy-double", "rows"),
    "a buffer that duplicates a row": ("buffer", "twice-double", "dictionary"),
    "a buffer that separates label and image": ("buffer", "torn-double", "dictionary"),
    "an objective that moves points by random numbers": ("objective", "sampling-double", "losses"),
    "an objective that moves chains of its own": ("objective", "walking-double", "repeatable"),
    "an objective that leaks gradient into the encoder": ("objective", "leaks-into-encoder-double", "owners"),
    "an objective that writes `.data` of the chains": ("objective", "writing-double", "losses"),
    "an objective that writes `.data` of the weights": ("objective", "tuning-double", "losses"),
    "a data set whose range is false": ("dataset", "false-range-double", "declared"),
    "a build path that is not there": ("energy", "absent-double", "imports"),
    "a default that can be changed": ("energy", "mutable-double", "defaults"),
}
"""What must be refused whatever else changes: (kind, double, check)."""


@pytest.mark.parametrize("what", REJECTED)
def test_what_has_been_published_or_is_often_done_has_a_double(what: str) -> None:
    assert REJECTED[what] in {(component.kind, component.name, check) for component, check, _ in WRONG}


def test_a_flip_that_is_forgotten_where_it_does_not_matter_passes() -> None:
    """With a momentum drawn anew for each move."""
    assert "no-flip-needed" in {component.name for component in RIGHT}

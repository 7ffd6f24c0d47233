"""The checks of samplers refuse every double, with the message that it must get, and pass what is right."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest

from ebmkit.testing.check import Check, CheckFailed, outcome
from ebmkit.testing.examined import Examined
from ebmkit.testing.samplers import PROMISES
from tests.testing.doubles_of_samplers import RIGHT, WRONG

BY_NAME = {promise.name: promise for promise in PROMISES}


def check(component: Any, name: str) -> Check:
    promise = BY_NAME[name]
    body = partial(promise.look, Examined(component=component))
    return Check(name=f"{component.name}/{name}", promise=promise.text, body=body)


@pytest.mark.parametrize(("double", "name", "message"), WRONG, ids=lambda value: str(getattr(value, "name", value)))
def test_a_double_is_refused_with_the_right_words(double: Any, name: str, message: str) -> None:
    with pytest.raises(CheckFailed) as failure:
        check(double, name).run()
    assert re.search(message, str(failure.value), re.DOTALL), str(failure.value)


def test_every_promise_has_a_double() -> None:
    assert {name for _, name, _ in WRONG} == set(BY_NAME)


@pytest.mark.parametrize("component", RIGHT, ids=lambda component: component.name)
def test_what_is_right_passes(component: Any) -> None:
    found = [outcome(check(component, name)) for name in BY_NAME]
    assert [o.text for o in found if o.state == "failed"] == []
    assert sum(o.state == "holds" for o in found) >= 10

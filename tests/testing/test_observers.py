"""Checks of an observer that cannot be built here."""

from __future__ import annotations

from typing import Any

import pytest

import ebmkit
from ebmkit.testing import checks_for, outcome
from ebmkit.testing.observers import PROMISES
from tests.testing import doubles_of_observers


def build_absent(config: Any, context: Any) -> Any:
    raise ebmkit.CapabilityError("its package is not installed")


def test_one_whose_package_is_not_there_is_not_said_to_change_a_run() -> None:
    absent = ebmkit.Component(
        kind="observer", name="absent-here", build=f"{__name__}:build_absent", summary="it needs a package"
    )
    names = {f"absent-here/{promise.name}" for promise in PROMISES}
    found = [outcome(check) for check in checks_for(absent) if check.name in names]
    assert len(found) == len(names)
    assert {(one.state, one.text) for one in found} == {("not applicable", "its package is not installed")}


@pytest.mark.parametrize("name", ["hurried", "blanking"])
def test_one_that_writes_the_same_every_time_is_found_after_the_other_checks(name: str) -> None:
    found = {one.check.name: one.state for one in map(outcome, checks_for(doubles_of_observers.part(name)))}
    assert found[f"{name}-double/touches"] == "failed"

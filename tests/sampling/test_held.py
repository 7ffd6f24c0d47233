"""What chains hold: one class for all of them, or each class for as many."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.coordinates.label import Label
from ebmkit.coordinates.momentum import Momentum
from ebmkit.errors import RecipeError
from ebmkit.sampling.held import held_by
from tests.sampling.test_given import run_of


@given(st.integers(1, 12), st.integers(0, 48))
def test_every_class_is_given_to_as_many_chains(n_classes: int, more: int) -> None:
    n = n_classes + more
    model: Any = run_of(n_classes=n_classes, coordinates=(Label(n_classes),))
    held = held_by(model, {"label": "all"}, None, n)
    labels = held.values["label"].tolist()
    counts = [labels.count(k) for k in range(n_classes)]
    assert labels == sorted(labels) and sum(counts) == n and max(counts) - min(counts) <= 1
    assert held.names == tuple(f"class {k}" for k in labels)


def test_one_class_is_named_and_other_coordinates_are_not() -> None:
    names = ("cat", "0", "dog")
    model: Any = run_of(names, 3, coordinates=(Label(3), SimpleNamespace(name="level", n_values=4)))
    one = held_by(model, {"label": "dog", "level": "2"}, None, 2)
    assert one.names == ("dog", "dog") and one.values["level"].tolist() == [2, 2]
    every = held_by(model, {"label": "all"}, None, 3)  # a class that is called by another one's number
    assert every.names == names and every.values["label"].tolist() == [0, 1, 2]
    assert held_by(model, {"level": "1"}, None, 2).names == () and held_by(model, {}, None, 2).values == {}


def test_classes_that_are_not_there_are_told() -> None:
    three: Any = run_of(n_classes=3, coordinates=(Label(3),))
    with pytest.raises(RecipeError, match=r"Every class is asked for, and there are 3 of them: .*found 2"):
        held_by(three, {"label": "all"}, None, 2)
    none: Any = run_of(n_classes=0)
    with pytest.raises(RecipeError, match="label=all: the data of this run have no classes"):
        held_by(none, {"label": "all"}, None, 3)
    without: Any = run_of(coordinates=(Momentum(),))
    with pytest.raises(RecipeError, match=r"label=all: this run can be given nothing\."):
        held_by(without, {"label": "all"}, None, 3)

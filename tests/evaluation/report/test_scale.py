"""Laws of axes: every number lies on them, in order; ticks are round, on the axis and told apart."""

from __future__ import annotations

from itertools import pairwise
from math import isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.evaluation.report.charts.scale import Scale, scale_of

NUMBERS = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=40)
KINDS = st.sampled_from([None, "linear", "log", "symlog"])


@given(NUMBERS, KINDS)
def test_every_number_is_on_the_axis_in_order(values: list[float], kind: str | None) -> None:
    scale = scale_of(values, 40.0, 500.0, kind)  # type: ignore[arg-type]
    found = sorted(v for v in values if isfinite(v) and abs(v) < 1e100)
    pixels = [scale(v) for v in found]
    assert all(40 - 1e-6 <= p <= 500 + 1e-6 for p in pixels)
    assert all(a <= b + 1e-6 for a, b in pairwise(pixels))
    assert all(isfinite(at) and 40 - 1e-6 <= at <= 500 + 1e-6 for at, _ in scale.ticks())
    assert len(scale.ticks()) <= 16


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_of_a_linear_axis_are_told_apart(low: float, width: float) -> None:
    labels = [label for _, label in scale_of([low, low + width], 0, 400).ticks()]
    assert len(labels) >= 2 and len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.0, 2.0, 3.0], "linear"),
        ([-1.0, 0.0, 4.0], "linear"),
        ([1e-6, 1.0], "log"),
        ([*[0.1 * i for i in range(-50, 50)], -1e9], "symlog"),
        ([0.0, 0.0], "linear"),
        ([5.0], "linear"),
        ([], "linear"),
        ([nan], "linear"),
    ],
)
def test_the_kind_of_axis_suits_the_numbers(values: list[float], kind: str) -> None:
    assert scale_of(values, 0, 100).kind == kind


def test_axes_may_run_downwards() -> None:
    scale = scale_of([0.0, 10.0], 200, 0)
    assert scale(0.0) > scale(10.0)


def test_ticks_are_round() -> None:
    assert [label for _, label in Scale(kind="linear", low=0, high=1, start=0, end=1).ticks()] == [
        "0", "0.2", "0.4", "0.6", "0.8", "1.0"
    ]  # fmt: skip
    assert [label for _, label in scale_of([1.0, 1e4], 0, 1).ticks()] == ["1", "10", "100", "1,000", "10,000"]


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_steps_are_marked_at_whole_numbers(first: int, more: int) -> None:
    scale = Scale(kind="linear", low=first, high=first + more, start=0, end=400, whole=True)
    assert scale.ticks() and not any("." in label for _, label in scale.ticks())

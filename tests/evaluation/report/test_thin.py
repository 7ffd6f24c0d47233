"""Laws of thinned curves: few points, the same extremes, breaks where values are not finite; and of running means."""

from __future__ import annotations

from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.evaluation.report.charts.thin import running_mean, thinned

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=600)


@given(VALUES)
def test_a_thinned_curve_keeps_its_ends_and_extremes(values: list[float]) -> None:
    points = [(float(i), y) for i, y in enumerate(values)]
    kept = thinned(points, columns=20)
    assert len(kept) <= max(80, 20 * 5)
    assert kept[0] == points[0] and kept[-1] == points[-1]
    assert max(y for _, y in kept) == max(values) and min(y for _, y in kept) == min(values)
    assert kept == sorted(kept, key=lambda p: p[0]) and set(kept) <= set(points)


def test_a_thinned_curve_keeps_its_breaks() -> None:
    points = [(float(i), nan if i == 5_000 else 1.0) for i in range(10_000)]
    assert any(isnan(y) for _, y in thinned(points))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.sampled_from([1, 3, 7]))
def test_a_running_mean_stays_within_the_curve(values: list[float], window: int) -> None:
    means = running_mean([(float(i), y) for i, y in enumerate(values)], window)
    assert [x for x, _ in means] == list(map(float, range(len(values))))
    assert all(min(values) - 1e-6 <= y <= max(values) + 1e-6 for _, y in means)


def test_one_huge_value_spoils_no_mean_but_its_neighbours() -> None:
    points = [(float(i), 1e20 if i == 3 else 1.0) for i in range(40)]
    assert [y for _, y in running_mean(points, 5)][10:30] == pytest.approx([1.0] * 20)

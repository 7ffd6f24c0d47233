"""Laws of charts: whatever is drawn is finite, within the drawing, and said in words, too."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.evaluation.report.charts.frame import Key, figure
from ebmkit.evaluation.report.charts.lines import Line, Mark, line_chart
from ebmkit.evaluation.report.charts.ridges import ridge_chart, ridges_of
from tests.evaluation.report.reading import Page, sound

ANY = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60)


def line(values: list[float], label: str = "a", **more: object) -> Line:
    return Line(key=Key(label=label), points=[(float(i), y) for i, y in enumerate(values)], **more)  # type: ignore[arg-type]


@given(ANY, ANY)
def test_whatever_is_logged_is_a_sound_drawing(one: list[float], other: list[float]) -> None:
    sound(line_chart("t", [line(one), line(other, "b")], [Mark(x=3, kind="stop", label="<gap>")]))


@given(st.dictionaries(st.text(max_size=5), ANY, max_size=4))
def test_whatever_energies_are_make_sound_rows(series: dict[str, list[float]]) -> None:
    rows, x = ridges_of(series)
    sound(ridge_chart("t", rows, x, "E"))
    finite = {name: [v for v in values if abs(v) < 1e100] for name, values in series.items()}
    assert [sum(row.counts) for row in rows] == [len(values) for values in finite.values()]


def test_a_chart_is_told_in_words() -> None:
    html = line_chart("Gap", [line([1.0, nan, 3.0], "gap")], [Mark(x=2, kind="warning", label="gap")])
    assert "<title>Gap</title>" in html and 'role="img"' in html
    assert "gap: 1 at 0, 3 at 2; lowest 1, highest 3. warning gap at 2." in html


def test_a_line_breaks_where_values_are_not_finite() -> None:
    html = line_chart("t", [line([1.0, 2.0, inf, 2.0, 1.0])])
    assert html.count("<path") == 3, "two pieces and one row of crosses"


def test_thousands_of_points_make_a_small_drawing() -> None:
    html = line_chart("t", [line([float(i % 97) for i in range(200_000)])])
    assert len(html) < 60_000


def test_errors_are_bars() -> None:
    assert line_chart("t", [line([1.0, 2.0], errors=[0.1, None])]).count('class="bar') == 1


def test_a_figure_has_its_title_legend_and_caption() -> None:
    page = Page(figure("T & t", line_chart("T", [line([1.0, 2.0])]), "how", [Key(label="<a>"), Key(label="b", dash=1)]))
    assert page.wrong == []
    for words in ("T & t", "<a>", "b", "how"):
        assert words in page.text


@pytest.mark.parametrize(("values", "kind"), [([0.1, 5.0, 900.0], "log"), ([-1.0, 0.5, 1.0], "linear")])
def test_energies_over_orders_of_magnitude_get_a_logarithmic_axis(values: list[float], kind: str) -> None:
    assert ridges_of({"a": values})[1].kind == kind

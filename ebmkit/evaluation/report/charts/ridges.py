"""Histograms below one another on one axis: each row is one set of numbers, drawn to the height of its own peak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from ebmkit.evaluation.report.charts.frame import BOTTOM, RIGHT, TOP, WIDTH, Key, drawing, px, x_axis
from ebmkit.evaluation.report.charts.scale import MAGNITUDE, Kind, Scale, scale_of
from ebmkit.evaluation.report.markup import Markup, tag
from ebmkit.evaluation.report.numbers import said

N_BINS = 60
ROW, LABEL, LEFT = 58, 19, 14


@dataclass(frozen=True, kw_only=True, slots=True)
class Ridge:
    """One row.

    Attributes:
        label: what is counted.
        edges: of its bins, rising [N + 1].
        counts: in each bin [N].
        marks: values that a vertical line marks: the median.
        note: what follows the label.
        colour: of `--c0` to `--c7`.
    """

    label: str
    edges: Sequence[float]
    counts: Sequence[float]
    marks: Sequence[float] = ()
    note: str = ""
    colour: int = 0


def ridges_of(series: Mapping[str, Sequence[float]]) -> tuple[list[Ridge], Scale]:
    """Returns the rows of some sets of numbers, in bins of equal width on the screen, and their axis."""
    finite = {name: [v for v in values if isfinite(v) and abs(v) < MAGNITUDE] for name, values in series.items()}
    everything = [value for values in finite.values() for value in values]
    x = scale_of(everything, LEFT, WIDTH - RIGHT, _kind(finite))
    edges = [_value_at(x, x.start + (x.end - x.start) * i / N_BINS) for i in range(N_BINS + 1)]
    rows = list[Ridge]()
    for i, (name, values) in enumerate(finite.items()):
        counts = [0] * N_BINS
        for value in values:
            counts[min(int((x(value) - x.start) / (x.end - x.start) * N_BINS), N_BINS - 1)] += 1
        middle = sorted(values)[len(values) // 2] if values else None
        lost = len(series[name]) - len(values)
        note = f"n = {len(values):,}" + (f", {lost:,} not finite" if lost else "")
        note += f", median {said(middle)}" if middle is not None else ""
        marks = [] if middle is None else [middle]
        rows.append(Ridge(label=name, edges=edges, counts=counts, marks=marks, note=note, colour=i))
    return rows, x


def ridge_chart(title: str, rows: Sequence[Ridge], x: Scale, x_label: str) -> Markup:
    """Returns the <svg> of some rows on one axis."""
    bottom = TOP + ROW * len(rows)
    marks = x_axis(x, TOP, bottom, x_label)
    for i, row in enumerate(rows):
        marks += _row(row, x, TOP + ROW * (i + 1))
    described = " ".join(f"{row.label}: {row.note}." for row in rows)
    return drawing(title, marks, described, height=bottom + BOTTOM)


def axis_of_edges(edges: Sequence[float]) -> Scale:
    """Returns the axis of bins that are given."""
    return scale_of(edges, LEFT, WIDTH - RIGHT, "linear", margin=0.0)


def _row(row: Ridge, x: Scale, floor: float) -> list[Markup]:
    key = Key(label=row.label, colour=row.colour)
    most = max(row.counts, default=0) or 1
    height = ROW - LABEL - 4
    steps = [f"M{px(x(row.edges[0]))} {px(floor)}"]
    for low, high, count in zip(row.edges, row.edges[1:], row.counts, strict=False):
        level = px(floor - height * count / most)
        steps.append(f"L{px(x(low))} {level}H{px(x(high))}")
    steps.append(f"V{px(floor)}Z")
    name = tag("text", tag("tspan", row.label, class_="name"), f"  {row.note}", x=LEFT, y=px(floor - ROW + LABEL - 4),
               class_="tick")  # fmt: skip
    lines = [
        tag("line", x1=px(x(m)), x2=px(x(m)), y1=px(floor - height), y2=px(floor), class_=f"line {key.stroke}")
        for m in row.marks
    ]
    base = tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=px(floor), y2=px(floor), class_="axis")
    return [tag("path", d="".join(steps), class_=f"area {key.stroke}"), *lines, base, name]


def _kind(series: Mapping[str, Sequence[float]]) -> Kind | None:
    """Returns the axis on which no row is a mere line where the widest is: both ways logarithmic if they differ."""
    widths = [max(values) - min(values) for values in series.values() if values]
    seen = [width for width in widths if width > 0]
    low = min((min(values) for values in series.values() if values), default=0.0)
    if seen and low > 0:
        return None
    return "symlog" if seen and max(seen) > 40 * min(seen) else "linear"


def _value_at(x: Scale, pixel: float) -> float:
    """Returns the number at a pixel, by bisection."""
    low, high = x.low, x.high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if x(middle) < pixel else (low, middle)
    return (low + high) / 2

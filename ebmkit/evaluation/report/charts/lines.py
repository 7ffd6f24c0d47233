"""Curves over training steps, or over whatever else: one chart, several lines, marks where something happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

from ebmkit.evaluation.report.charts.frame import (
    BOTTOM,
    HEIGHT,
    RIGHT,
    TOP,
    WIDTH,
    Key,
    drawing,
    left_margin,
    px,
    x_axis,
    y_axis,
)
from ebmkit.evaluation.report.charts.scale import MAGNITUDE, Scale, scale_of
from ebmkit.evaluation.report.charts.thin import Points, running_mean, thinned
from ebmkit.evaluation.report.markup import Markup, tag
from ebmkit.evaluation.report.numbers import said

SMOOTHED_FROM = 40
"""Points of a line from which its running mean is drawn over it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of a chart.

    Attributes:
        key: its label, colour and dashes.
        points: (x, y), x rising; y may be NaN or infinite.
        errors: standard error of each y, None where it has none; empty for none.
        dots: mark every point.
    """

    key: Key
    points: Sequence[tuple[float, float]]
    errors: Sequence[float | None] = ()
    dots: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A step at which something happened.

    Attributes:
        x: where.
        kind: "warning", "stop" or "stage".
        label: what.
    """

    x: float
    kind: str
    label: str


def window_for(n: int) -> int:
    """Returns the number of points of which a running mean is drawn over n of them, 0 where none is."""
    return 0 if n < SMOOTHED_FROM else min(101, max(5, n // 40) | 1)


def line_chart(
    title: str,
    lines: Sequence[Line],
    marks: Sequence[Mark] = (),
    *,
    x_label: str = "step",
    holds: Sequence[float] = (),
) -> Markup:
    """Returns the <svg> of a chart.

    Args:
        title: for screen readers.
        lines: to draw.
        marks: vertical lines, ▲ for a warning and ■ for a stop.
        x_label: name of the horizontal axis.
        holds: values that the vertical axis holds beside those of the lines.
    """
    bottom = HEIGHT - BOTTOM
    y = scale_of([*_heights(lines), *holds], bottom, TOP)
    left = left_margin(y)
    xs = [x for line in lines for x, _ in line.points]
    x = replace(scale_of(xs, left, WIDTH - RIGHT, "linear", margin=0.02), whole=True)
    drawn = [*y_axis(y, left, WIDTH - RIGHT), *x_axis(x, TOP, bottom, x_label)]
    drawn += [_mark(mark, x, bottom) for mark in marks]
    drawn += [part for line in lines for part in _drawn(line, x, y, bottom)]
    return drawing(title, drawn, described(lines, marks))


def described(lines: Sequence[Line], marks: Sequence[Mark] = ()) -> str:
    """Returns a chart in words: how each line begins and ends, its extremes, and what happened."""
    parts = list[str]()
    for line in lines:
        finite = [point for point in line.points if isfinite(point[1])]
        if not finite:
            parts.append(f"{line.key.label}: no finite value.")
            continue
        (x0, first), (x1, last) = finite[0], finite[-1]
        low, high = min(y for _, y in finite), max(y for _, y in finite)
        parts.append(
            f"{line.key.label}: {said(first)} at {said(x0)}, {said(last)} at {said(x1)}; "
            f"lowest {said(low)}, highest {said(high)}."
        )
    return " ".join([*parts, *(f"{mark.kind} {mark.label} at {said(mark.x)}." for mark in marks)])


def _heights(lines: Sequence[Line]) -> list[float]:
    """Returns the y that a vertical axis is to hold, error bars included."""
    heights = [y for line in lines for _, y in line.points]
    for line in lines:
        for (_, y), error in zip(line.points, line.errors, strict=False):
            heights += [y - error, y + error] if error is not None else []
    return heights


def _drawn(line: Line, x: Scale, y: Scale, bottom: float) -> list[Markup]:
    window = 0 if line.errors else window_for(sum(isfinite(b) for _, b in line.points))
    curve = thinned(line.points)
    marks = [*_strokes(curve, x, y, line.key, "raw" if window else "line"), *_not_finite(line, x, bottom)]
    if window:
        marks += _strokes(thinned(running_mean(line.points, window)), x, y, line.key, "line")
    if line.dots or line.errors:
        marks += [_dot(x(a), y(b), line.key) for a, b in curve if isfinite(b)]
    for (a, b), error in zip(line.points, line.errors, strict=False):
        if error is not None and isfinite(b) and isfinite(error):
            ends = {"y1": px(y(b - error)), "y2": px(y(b + error))}
            marks.append(tag("line", x1=px(x(a)), x2=px(x(a)), **ends, class_=f"bar {line.key.stroke}"))
    return marks


def _strokes(curve: Points, x: Scale, y: Scale, key: Key, style: str) -> list[Markup]:
    """Returns the pieces of a curve between points that are not finite."""
    pieces: list[Points] = [[]]
    for point in curve:
        if isfinite(point[1]) and abs(point[1]) < MAGNITUDE:
            pieces[-1].append(point)
        elif pieces[-1]:
            pieces.append([])
    strokes = list[Markup]()
    for piece in filter(None, pieces):
        if len(piece) == 1:
            strokes.append(_dot(x(piece[0][0]), y(piece[0][1]), key))
            continue
        path = "M" + "L".join(f"{px(x(a))} {px(y(b))}" for a, b in piece)
        dashes = key.dashes if style == "line" else None
        strokes.append(tag("path", d=path, class_=f"{style} {key.stroke}", stroke_dasharray=dashes))
    return strokes


def _not_finite(line: Line, x: Scale, bottom: float) -> list[Markup]:
    """Returns crosses at the foot of the chart where values are NaN or infinite."""
    places = sorted({round(x(a)) for a, b in line.points if not (isfinite(b) and abs(b) < MAGNITUDE)})
    paths = [f"M{at - 4} {bottom - 9}l8 8m0 -8l-8 8" for at in places]
    return [tag("path", d="".join(paths), class_=f"line {line.key.stroke}")] if paths else []


def _dot(at: float, height: float, key: Key) -> Markup:
    return tag("circle", cx=px(at), cy=px(height), r=3, class_=f"dot {key.stroke}")


def _mark(mark: Mark, x: Scale, bottom: float) -> Markup:
    at = x(mark.x)
    line = tag("line", x1=px(at), x2=px(at), y1=TOP - 4, y2=px(bottom))
    shapes = {"warning": f"M{px(at - 5)} {TOP - 4}h10l-5 -9z", "stop": f"M{px(at - 5)} {TOP - 14}h10v10h-10z"}
    shape = [tag("path", d=shapes[mark.kind])] if mark.kind in shapes else []
    return tag("g", tag("title", mark.label), line, shape, class_=f"mark {mark.kind}")

"""What all charts share: their size, axes with ticks and grid lines, the figure around them, its legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ebmkit.evaluation.report.charts.scale import Scale
from ebmkit.evaluation.report.markup import Content, Markup, tag

WIDTH, HEIGHT = 520, 262
TOP, BOTTOM, RIGHT = 16, 42, 14
LETTER = 8.0
"""Pixels of a letter of a tick label, at most."""
N_COLOURS = 8
DASHES = ("", "7 4", "2 3", "10 3 2 3")


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One entry of a legend.

    Attributes:
        label: what it stands for.
        colour: of `--c0` to `--c7`; they repeat.
        dash: of `DASHES`; they repeat.
    """

    label: str
    colour: int = 0
    dash: int = 0

    @property
    def stroke(self) -> str:
        """Its class of colour."""
        return f"s{self.colour % N_COLOURS}"

    @property
    def dashes(self) -> str | None:
        """Its `stroke-dasharray`."""
        return DASHES[self.dash % len(DASHES)] or None


def px(value: float) -> str:
    """Returns a length in pixels, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def left_margin(y: Scale) -> float:
    """Returns how far from the left a chart begins that must leave room for the labels of an axis."""
    return 14 + LETTER * max((len(label) for _, label in y.ticks()), default=1)


def x_axis(x: Scale, top: float, bottom: float, label: str) -> list[Markup]:
    """Returns grid lines, ticks and the name of a horizontal axis."""
    marks = list[Markup]()
    for at, said in _apart(x.ticks()):
        marks.append(tag("line", x1=px(at), x2=px(at), y1=px(top), y2=px(bottom), class_="grid"))
        marks.append(tag("text", said, x=px(at), y=px(bottom + 17), class_="tick", text_anchor="middle"))
    middle = px((x.start + x.end) / 2)
    marks.append(tag("text", label, x=middle, y=px(bottom + 35), class_="tick", text_anchor="middle"))
    return marks


def y_axis(y: Scale, left: float, right: float) -> list[Markup]:
    """Returns grid lines and ticks of a vertical axis."""
    marks = list[Markup]()
    for at, said in y.ticks(5):
        marks.append(tag("line", x1=px(left), x2=px(right), y1=px(at), y2=px(at), class_="grid"))
        marks.append(tag("text", said, x=px(left - 7), y=px(at + 4), class_="tick", text_anchor="end"))
    return marks


def figure(title: str, svg: Content, caption: Content = None, keys: Sequence[Key] = (), described: str = "") -> Markup:
    """Returns a chart with its title, legend and caption.

    Args:
        title: what it shows.
        svg: the elements of the drawing, or a whole <svg>.
        caption: how to read it.
        keys: of the legend.
        described: the same for a screen reader.
    """
    return tag(
        "figure",
        tag("h4", title),
        legend(keys) if keys else None,
        svg if isinstance(svg, Markup) else drawing(title, svg, described),
        tag("figcaption", caption) if caption else None,
        class_="chart",
    )


def drawing(title: str, marks: Content, described: str = "", height: float = HEIGHT) -> Markup:
    """Returns an <svg> of the width of charts that scales, with a title for screen readers."""
    names = (tag("title", title), tag("desc", described) if described else None)
    return tag("svg", names, marks, viewBox=f"0 0 {WIDTH} {px(height)}", role="img", aria_label=title)


def legend(keys: Sequence[Key]) -> Markup:
    """Returns what the lines of a chart stand for."""
    return tag("ul", [tag("li", _sample(key), key.label) for key in keys], class_="legend")


def _sample(key: Key) -> Markup:
    line = tag("line", x1=0, x2=26, y1=6, y2=6, class_=f"line {key.stroke}", stroke_dasharray=key.dashes)
    return tag("svg", line, viewBox="0 0 26 12", width=26, height=12, aria_hidden="true")


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Returns the ticks whose labels do not run into the one before."""
    kept = list[tuple[float, str]]()
    for at, said in ticks:
        if not kept or at - kept[-1][0] >= LETTER * (len(said) + len(kept[-1][1])) / 2 + 8:
            kept.append((at, said))
    return kept

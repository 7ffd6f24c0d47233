"""Tables and lists of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ebmkit.evaluation.report.markup import Content, Markup, tag


def table(
    header: Sequence[Content],
    rows: Iterable[Sequence[Content]],
    numbers: Iterable[int] = (),
    prose: Iterable[int] = (),
) -> Markup:
    """Returns a table that scrolls inside the page where it is too wide.

    Args:
        header: of its columns.
        rows: cells; the first of each names the row.
        numbers: columns that are set to the right.
        prose: columns of whole sentences, which keep a width at which they can be read.
    """
    looks = {**dict.fromkeys(numbers, "n"), **dict.fromkeys(prose, "prose")}
    head = tag("tr", [tag("th", cell, scope="col", class_=looks.get(i)) for i, cell in enumerate(header)])
    body = [tag("tr", [_cell(i, cell, looks.get(i)) for i, cell in enumerate(row)]) for row in rows]
    inside = tag("table", tag("thead", head), tag("tbody", body))
    return tag("div", inside, class_="scroll", tabindex="0", role="region", aria_label="table")


def facts(entries: Iterable[tuple[str, Content, Content]]) -> Markup:
    """Returns headline figures: what each is, the figure, and a remark on it."""
    cells = [
        tag("div", tag("dt", name), tag("dd", value, tag("small", remark) if remark else None))
        for name, value, remark in entries
    ]
    return tag("dl", cells, class_="facts")


def listed(texts: Iterable[Content]) -> Markup | None:
    """Returns remarks as a list, None where there are none."""
    items = [tag("li", text) for text in texts]
    return tag("ul", items, class_="notes") if items else None


def folded(summary: Content, *inside: Content) -> Markup:
    """Returns something that is shown when it is asked for."""
    return tag("details", tag("summary", summary), *inside)


def section(anchor: str, title: str, *inside: Content) -> Markup:
    """Returns a part of the page."""
    return tag("section", tag("h2", title), *inside, id=anchor)


def _cell(i: int, cell: Content, look: str | None) -> Markup:
    return tag("td", cell, class_=look) if i else tag("th", cell, scope="row", class_=look)

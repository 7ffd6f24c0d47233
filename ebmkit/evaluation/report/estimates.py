"""Numbers with errors as tables, and which of several is the best as far as their errors tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import hypot, isfinite

from ebmkit.evaluation.report.markup import Content, Markup, tag
from ebmkit.evaluation.report.numbers import said, with_error
from ebmkit.evaluation.report.tables import table
from ebmkit.protocols.metric import Estimate

APART = 2.0
"""Standard errors of a difference from which one number is called better than another."""

Crossed = dict[tuple[str, str], Estimate]
"""(row, column) → number."""


def estimate_tables(estimates: Mapping[str, Estimate]) -> Iterator[Content]:
    """Yields the tables of a metric: its plain numbers in a list, those named "ROW: COLUMN" in a table of both.

    Where the rows themselves are all combinations "A, B", as of sets and scores, each column becomes a table of them.
    """
    plain = {key: estimate for key, estimate in estimates.items() if ": " not in key}
    if plain:
        rows = [(key, estimate_text(e), said(e.n), f"{e.better} is better" if e.better else "")
                for key, e in plain.items()]  # fmt: skip
        yield table(["number", "value", "n", ""], rows, [1, 2])
    crossed = {_two(key.rsplit(": ", 1)): estimate for key, estimate in estimates.items() if ": " in key}
    columns = list(dict.fromkeys(column for _, column in crossed))
    planes = {column: _plane({row: e for (row, of), e in crossed.items() if of == column}) for column in columns}
    if crossed and all(planes.values()):
        yield tag(
            "p", f"Bold: better than every other of its row by more than {APART:g} standard errors.", class_="soft"
        )
        for column, plane in planes.items():
            yield tag("h4", _headed(column, list(plane.values())))
            yield _table(plane, marked=True)
    elif crossed:
        yield _table(crossed)


def estimate_text(estimate: Estimate) -> str:
    """Returns a number with its error and unit."""
    return f"{with_error(estimate.value, estimate.error)}{f' {estimate.unit}' if estimate.unit else ''}"


def best(estimates: Sequence[Estimate | None]) -> int | None:
    """Returns which number is better than every other by more than its error; None where none is."""
    there = [(i, e) for i, e in enumerate(estimates) if e is not None and isfinite(e.value)]
    ways = {e.better for _, e in there}
    if len(there) < 2 or ways not in ({"lower"}, {"higher"}):
        return None
    sign = 1 if ways == {"lower"} else -1
    place, first = min(there, key=lambda entry: sign * entry[1].value)
    others = [e for i, e in there if i != place]
    clear = all(_is_apart(first, other) for other in others)
    return place if clear else None


def _is_apart(one: Estimate, other: Estimate) -> bool:
    if one.error is None or other.error is None:
        return False
    return abs(one.value - other.value) > APART * hypot(one.error, other.error)


def _table(crossed: Crossed, *, marked: bool = False) -> Markup:
    """Returns rows and columns; the best of each row is bold where asked, for they measure the same."""
    rows = list(dict.fromkeys(row for row, _ in crossed))
    columns = list(dict.fromkeys(column for _, column in crossed))
    header = [
        column if marked else _headed(column, [e for (_, of), e in crossed.items() if of == column])
        for column in columns
    ]
    cells = list[list[Content]]()
    for row in rows:
        found = [crossed.get((row, column)) for column in columns]
        chosen = best(found) if marked else None
        texts = ["" if e is None else estimate_text(e) for e in found]
        cells.append(
            [row, *(tag("span", text, class_="best") if i == chosen else text for i, text in enumerate(texts))]
        )
    return table(["", *header], cells, range(1, len(columns) + 1))


def _plane(rows: Mapping[str, Estimate]) -> Crossed:
    """Returns rows named "A, B" as A → B, nothing where they are not all combinations of some A and B."""
    if not all(", " in row for row in rows):
        return {}
    found = {_two(row.rsplit(", ", 1)): estimate for row, estimate in rows.items()}
    n_rows, n_columns = (len({names[i] for names in found}) for i in (0, 1))
    return found if n_columns > 1 and n_rows * n_columns == len(found) else {}


def _headed(column: str, estimates: Sequence[Estimate]) -> str:
    """Returns the name of a column, and which of its numbers are better."""
    better = {estimate.better for estimate in estimates}
    arrow = {"higher": " ↑", "lower": " ↓"}.get(better.pop(), "") if len(better) == 1 else ""
    return f"{column}{arrow}"


def _two(parts: Sequence[str]) -> tuple[str, str]:
    return parts[0], parts[1]

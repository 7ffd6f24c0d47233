"""The newest numbers of several runs side by side, the best of each marked where the errors tell it apart."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, isfinite

from ebmkit.evaluation.report.content import RunContent
from ebmkit.evaluation.report.markup import Content, tag
from ebmkit.evaluation.report.numbers import with_error
from ebmkit.evaluation.report.tables import table
from ebmkit.protocols.metric import Estimate

APART = 2.0
"""Standard errors of a difference from which one number is called better than another."""


def comparison(runs: Sequence[RunContent]) -> Content:
    """Returns one row a number and one column a run; nothing for a single run."""
    if len(runs) < 2:
        return None
    columns = [_estimates(run) for run in runs]
    keys = list(dict.fromkeys(key for column in columns for key in column))
    rows = [(f"{metric}, {key}", *_cells([column.get((metric, key)) for column in columns])) for metric, key in keys]
    told = f"Bold: better than every other run by more than {APART:g} standard errors of the difference."
    header = ["number", *(f"{run.name}, step {run.evaluations[-1].found.step:,}" for run in runs)]
    return tag("p", told, class_="soft"), table(header, rows, range(1, len(runs) + 1))


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


def _cells(estimates: Sequence[Estimate | None]) -> list[Content]:
    chosen = best(estimates)
    texts = ["" if e is None else estimate_text(e) for e in estimates]
    return [tag("span", text, class_="best") if i == chosen else text for i, text in enumerate(texts)]


def _estimates(run: RunContent) -> dict[tuple[str, str], Estimate]:
    found = run.evaluations[-1].found
    return {(judged.name, key): e for judged in found.metrics for key, e in judged.estimates.items()}

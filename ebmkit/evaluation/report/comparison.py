"""The newest numbers of several runs side by side, the best of each marked where the errors tell it apart."""

from __future__ import annotations

from collections.abc import Sequence

from ebmkit.evaluation.report.content import RunContent
from ebmkit.evaluation.report.estimates import APART, best, estimate_text
from ebmkit.evaluation.report.markup import Content, tag
from ebmkit.evaluation.report.numbers import count
from ebmkit.evaluation.report.tables import folded, table
from ebmkit.protocols.metric import Estimate


def comparison(runs: Sequence[RunContent]) -> Content:
    """Returns one row a number and one column a run; nothing for a single run."""
    if len(runs) < 2:
        return None
    columns = [_estimates(run) for run in runs]
    keys = list(dict.fromkeys(key for column in columns for key in column))
    told = f"Bold: better than every other run by more than {APART:g} standard errors of the difference."
    header = ["number", *(f"{run.name}, step {run.evaluations[-1].found.step:,}" for run in runs)]
    numbers = range(1, len(runs) + 1)
    rows: dict[bool, list[list[Content]]] = {False: [], True: []}
    for metric, key in keys:
        name = key if metric in key else f"{metric}: {key}"
        rows[": " in key].append([name, *_cells([column.get((metric, key)) for column in columns])])
    return (
        tag("p", told, class_="soft"),
        table(header, rows[False], numbers) if rows[False] else None,
        folded(f"{count(len(rows[True]), 'number')} more, by row and column", table(header, rows[True], numbers))
        if rows[True]
        else None,
    )


def _cells(estimates: Sequence[Estimate | None]) -> list[Content]:
    chosen = best(estimates)
    texts = ["" if e is None else estimate_text(e) for e in estimates]
    return [tag("span", text, class_="best") if i == chosen else text for i, text in enumerate(texts)]


def _estimates(run: RunContent) -> dict[tuple[str, str], Estimate]:
    found = run.evaluations[-1].found
    return {(judged.name, key): e for judged in found.metrics for key, e in judged.estimates.items()}

"""An evaluation in words and tables, as a terminal, a notebook or a pipe shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10

from ebmkit.evaluation.record import Evaluation, Judgement
from ebmkit.protocols.metric import Estimate

ROUNDING = 1e-14
"""An error below this share of its value is rounding, and none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Laid:
    """A table of numbers.

    Attributes:
        header: names of its columns.
        rows: cells.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def number(value: float, error: float | None = None) -> str:
    """Returns a number with as many digits as its error leaves sense in: two of the error.

    An error within rounding of float64 is none.

    >>> number(128.347, 2.13), number(0.45678), number(float("inf")), number(0.0713, 1.4e-17)
    ('128.3 ± 2.1', '0.4568', 'inf', '0.0713 ± 0')
    """
    if error is None or not isfinite(value) or not isfinite(error):
        return f"{value:.4g}"
    if error <= ROUNDING * abs(value):
        return f"{value:.4g} ± 0"
    digits = max(0, 1 - floor(log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def cell(estimate: Estimate) -> str:
    """Returns an estimate with its error and unit."""
    return f"{number(estimate.value, estimate.error)}{f' {estimate.unit}' if estimate.unit else ''}"


def laid_out(found: Judgement) -> list[Laid]:
    """Returns the numbers of a metric as tables: one of plain numbers, and one of those with rows and columns."""
    plain = {key: e for key, e in found.estimates.items() if ": " not in key}
    crossed = {key: e for key, e in found.estimates.items() if ": " in key}
    tables = []
    if plain:
        rows = [(key, cell(e), f"{e.n:,}", {"": ""}.get(e.better, f"{e.better} is better")) for key, e in plain.items()]
        tables.append(Laid(header=("number", "value", "n", ""), rows=tuple(rows)))
    if crossed:
        tables.append(_crossed(crossed))
    return tables


def _crossed(estimates: dict[str, Estimate]) -> Laid:
    pairs = {tuple(key.rsplit(": ", 1)): estimate for key, estimate in estimates.items()}
    rows = list(dict.fromkeys(row for row, _ in pairs))
    columns = list(dict.fromkeys(column for _, column in pairs))
    cells = [(row, *(cell(pairs[row, column]) if (row, column) in pairs else "" for column in columns)) for row in rows]
    return Laid(header=("", *columns), rows=tuple(cells))


def heading(found: Judgement) -> str:
    """Returns the first line of a metric."""
    return f"{found.name}: {found.definition}"


def circumstances(evaluation: Evaluation) -> str:
    """Returns what every number depends on, in one line."""
    sampling = f"; {evaluation.sampling}" if evaluation.sampling else ""
    return f"Step {evaluation.step:,}, {evaluation.weights} weights, seed {evaluation.seed}{sampling}"


def remarks(evaluation: Evaluation) -> Iterator[str]:
    """Yields what a reader must know beside the numbers."""
    yield from evaluation.notes
    for name, why in evaluation.failures.items():
        yield f"{name} has no numbers: {why}"


def summary(evaluation: Evaluation) -> str:
    """Returns the plain numbers in one line, and the first of a metric that has only tables."""
    found = []
    for judged in evaluation.metrics:
        plain = {key: e for key, e in judged.estimates.items() if ": " not in key} or dict(
            [*judged.estimates.items()][:1]
        )
        found += [f"{key} {cell(estimate)}" for key, estimate in plain.items()]
    return ", ".join([*found, *(f"{name} failed" for name in evaluation.failures)])


def lines(evaluation: Evaluation) -> Iterator[str]:
    """Yields the whole as text."""
    yield circumstances(evaluation)
    for found in evaluation.metrics:
        yield ""
        yield heading(found)
        for laid in laid_out(found):
            yield from _aligned(laid)
        yield from (f"  {note}" for note in found.notes)
    yield from remarks(evaluation)


def _aligned(laid: Laid) -> Iterator[str]:
    cells: Sequence[Sequence[str]] = [laid.header, *laid.rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(laid.header))]
    for row in cells:
        yield ("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))).rstrip()

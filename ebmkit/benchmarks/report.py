"""What was measured, as tables for a person and as JSON values for a machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from math import isinf
from typing import TYPE_CHECKING

from ebmkit.benchmarks.results import Result, Row, Verdict
from ebmkit.benchmarks.timing import Spread
from ebmkit.benchmarks.workload import Conditions
from ebmkit.runs.files.environment import PACKAGES, environment

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 80
MIB = 2**20
LEGEND = (
    "ms: median of a call. ±%: half of what lies between the quartiles.\n"
    "moves/s, grad/s: of the batch; all chains moving at once count as one move.\n"
    "/bare: time over that of the bare gradient loop of the same precision. MiB: most that autograd keeps.\n"
    "bars: the ratio of two ways round by round, its median and quartiles."
)


def as_json(results: Iterable[Result], conditions: Conditions) -> dict[str, object]:
    """Returns everything measured, with what the figures depend on."""
    return {
        "environment": environment(conditions.device, seed=0, packages=(*PACKAGES, "torchebm")),
        "conditions": {
            "quick": conditions.quick,
            "keep_memory": conditions.keep_memory,
            "styles": sorted(conditions.styles),
        },
        "workloads": [_as_json(result) for result in results],
    }


def heading(result: Result) -> str:
    """Returns the line above a workload's table."""
    work = result.workload
    counts = [f"{work.moves} moves" * bool(work.moves), f"{work.gradients} gradients" * bool(work.gradients)]
    each = f"; a call is {' and '.join(filter(None, counts))}" if any(counts) else ""
    number = f"; {result.threads} thread{'s' * (result.threads != 1)}" if result.threads else ""
    return f"{work.name}: {work.title}{each}{number}"


def drawn(rows: Sequence[Row], peak: str = "") -> Table:
    """Returns the table of a workload, at most 80 columns wide; with the share of a peak that a way measured."""
    from rich import box
    from rich.table import Table

    best = _best(rows, peak)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("way", no_wrap=True, min_width=26)
    for name in _heads(best):
        table.add_column(name, justify="right", no_wrap=True, min_width=5 if name in ("±%", "/bare") else 8)
    for row in rows:
        if not row.note:
            table.add_row(*_cells(row, best))
    return table


def stacked(rows: Sequence[Row], peak: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yields every way that was measured with its figures, each by name, for a terminal too narrow for a table."""
    best = _best(rows, peak)
    for row in rows:
        if not row.note:
            way, *cells = _cells(row, best)
            yield way, [f"{name} {cell}" for name, cell in zip(_heads(best), cells, strict=True) if cell]


def _best(rows: Sequence[Row], peak: str) -> float | None:
    return next((row.flops_per_second for row in rows if row.way == peak), None)


def _heads(best: float | None) -> tuple[str, ...]:
    return ("ms", "±%", "moves/s", "grad/s", "/bare", "MiB", *(["% peak"] if best else []))


def remarks(result: Result) -> Iterator[str]:
    """Yields what stands under a workload's table: ways that could not be taken, and the bars."""
    if result.note:
        yield f"not measured: {result.note}"
    for row in result.rows:
        if row.note:
            yield f"{row.way}: not measured: {row.note}"
    for verdict in result.verdicts:
        yield judged(verdict)


def judged(verdict: Verdict) -> str:
    """Returns a bar in one line: met or not, what was found, what was asked."""
    bar, found = verdict.bar, verdict.found
    asked = f"≥ {bar.least:g}" if bar.least else f"≤ {bar.most:g}"
    pair = f"{bar.first} / {bar.second}" + (", bytes kept" if bar.measure == "bytes" else "")
    if found is None:
        return f"not measured         {asked:<7}{pair}"
    word = "met" if verdict.is_met else "NOT MET"
    quartiles = f"[{found.low:.3g}, {found.high:.3g}]"
    return f"{word:<14}{found.median:<7.3g}{asked:<7}{pair} {quartiles}"


def summary(results: Sequence[Result]) -> str:
    """Returns how many of the measured bars are met."""
    states = [verdict.is_met for result in results for verdict in result.verdicts]
    met, missed, unknown = (states.count(state) for state in (True, False, None))
    return f"{met} of {met + missed} bars met" + (f", {unknown} not measured." if unknown else ".")


def _cells(row: Row, peak: float | None) -> list[str]:
    spread = Spread.of(list(row.seconds))
    name = f"{row.way} ({row.engine})" if row.way.endswith("auto") else row.way
    cells = [
        name,
        _number(1e3 * spread.median),
        f"{50 * (spread.high - spread.low) / spread.median:.1f}",
        _number(row.moves_per_second),
        _number(row.gradients_per_second),
        "" if row.over_bare is None else f"{row.over_bare:.2f}",
        "" if row.bytes_kept is None else _number(row.bytes_kept / MIB),
    ]
    if peak is None:
        return cells
    return [*cells, "" if row.flops_per_second is None else f"{100 * row.flops_per_second / peak:.1f}"]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _as_json(result: Result) -> dict[str, object]:
    work = result.workload
    return {
        "name": work.name,
        "title": work.title,
        "chains": work.chains,
        "moves": work.moves,
        "gradients": work.gradients,
        "threads": result.threads,
        "note": result.note,
        "rows": [asdict(row) for row in result.rows],
        "bars": [
            {
                **asdict(v.bar),
                "most": None if isinf(v.bar.most) else v.bar.most,
                "found": None if v.found is None else asdict(v.found),
                "is_met": v.is_met,
            }
            for v in result.verdicts
        ],
    }

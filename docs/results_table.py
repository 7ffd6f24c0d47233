"""The table of a study: of each arm the mean over its seeds, with what the seeds and the evaluation leave open."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from results_study import Study

BEGIN, END = "<!-- measured -->", "<!-- end -->"

SHARED = ("ood: ",)
"""Numbers of held-out images alone, which are the same for all seeds of training; others have new samples, too."""


def write_page(folder: Path, study: Study) -> None:
    """Writes the tables of a study between the marks of its page, which stands beside it."""
    page = folder / f"{study.name}.md"
    text = page.read_text(encoding="utf-8")
    for mark, made in tables_of(folder, study).items():
        before, _, rest = text.partition(mark)
        _, end, after = rest.partition(END)
        if not end:
            raise ValueError(f"{page} lacks {mark} and {END} after it")
        text = f"{before}{mark}\n{made}\n{END}{after}"
    page.write_text(text, encoding="utf-8")


def tables_of(folder: Path, study: Study) -> dict[str, str]:
    """Returns the tables of a study by the mark that they follow: that of its columns, and <!-- NAME --> for others."""
    measured = read(folder / study.name, [arm.name for arm in study.arms])
    others = {
        f"<!-- {name} -->": table_by_number({k: v for k, v in measured.items() if _any(v, columns)}, columns)
        for name, columns in study.tables.items()
    }
    return {BEGIN: table(measured, study.columns)} | others


def _any(entries: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bool:
    return any(column in entry.get("numbers", {}) for entry in entries for column in columns)


def read(folder: Path, arms: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Returns what was measured, by arm, one entry a seed."""
    found = {}
    for arm in arms:
        told = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob(f"{arm}-[0-9]*.json"))]
        found[arm] = [entry | {"numbers": entry["numbers"] | of_gap(entry)} if "numbers" in entry else entry
                      for entry in told if entry["arm"] == arm]  # fmt: skip
    return found


def of_gap(entry: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Returns means over the last quarters of a training, of E⁺ − E⁻ and of E⁺, each with its standard error.

    The errors are those of batches. There is none where a value is not finite.

    >>> gap = [9.0, 9.0, 9.0, 9.0, 5.0, 5.0, -1.0, 3.0]
    >>> of_gap({"trace": {"step": [1, 2, 3, 4, 5, 6, 7, 8], "gap": gap}})
    {'gap: E⁺ − E⁻, third quarter': (5.0, 0.0), 'gap: E⁺ − E⁻, last quarter': (1.0, 2.0)}
    """
    told = entry.get("trace", {})
    parts = {
        "gap: E⁺ − E⁻, third quarter": ("gap", 0.5, 0.75),
        "gap: E⁺ − E⁻, last quarter": ("gap", 0.75, 1.0),
        "gap: E⁺, last quarter": ("energy_positive", 0.75, 1.0),
    }
    found = {}
    for name, (kept, begin, end) in parts.items():
        rows = zip(told["step"], told[kept], strict=True) if kept in told else ()
        part = [value for step, value in rows if value is not None and begin < step / told["step"][-1] <= end]
        if len(part) > 1 and all(map(math.isfinite, part)):
            found[name] = (fmean(part), stdev(part) / math.sqrt(len(part)))
    return found


def table(measured: Mapping[str, Sequence[Mapping[str, Any]]], columns: Sequence[str]) -> str:
    """Returns a table in Markdown: a line an arm, mean ± standard error over its seeds.

    Of one seed, the error is that of its evaluation alone, and the line says "one seed". Seeds that failed are counted
    in the line, and are in no mean.
    """
    lines = ["| arm | seeds | steps | minutes | MiB | " + " | ".join(column.partition(": ")[2] for column in columns)]
    lines[0] += " |"
    lines.append("|---" * (5 + len(columns)) + "|")
    for arm, entries in measured.items():
        worked = [entry for entry in entries if "failed" not in entry]
        cells = [cell(worked, column) for column in columns]
        if worked:
            minutes = fmean(entry["seconds"] for entry in worked) / 60
            mib = max(entry["mib"] for entry in worked)
            steps = sorted({entry["steps"] for entry in worked})
            spent = [" to ".join(map(str, steps[:: max(1, len(steps) - 1)])), f"{minutes:.1f}", f"{mib:.0f}"]
        else:
            spent = ["", "", ""]
        lines.append("| " + " | ".join([arm, seeds_of(entries), *spent, *cells]) + " |")
    return "\n".join(lines)


def table_by_number(measured: Mapping[str, Sequence[Mapping[str, Any]]], columns: Sequence[str]) -> str:
    """Returns a table in Markdown the other way: a line a number, a column an arm; errors as in `table`."""
    if not measured:
        return ""
    said = [seeds_of(entries) for entries in measured.values()]
    heads = [f"{arm}, {n} seeds" if n.isdecimal() else f"{arm}, {n}" for arm, n in zip(measured, said, strict=True)]
    worked = [[entry for entry in entries if "failed" not in entry] for entries in measured.values()]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    for column in columns:
        cells = [cell(entries, column) for entries in worked]
        lines.append(f"| {column.partition(': ')[2]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def seeds_of(entries: Sequence[Mapping[str, Any]]) -> str:
    """Returns how many seeds there are, in a word where it is one, and how many of them failed.

    >>> seeds_of([]), seeds_of([{}]), seeds_of([{}, {"failed": "diverged"}])
    ('not measured', 'one seed', '2, 1 failed')
    """
    n_failed = sum("failed" in entry for entry in entries)
    said = {0: "not measured", 1: "one seed"}.get(len(entries), str(len(entries)))
    return f"{said}, {n_failed} failed" if n_failed else said


def cell(entries: Sequence[Mapping[str, Any]], column: str) -> str:
    """Returns mean ± standard error of one number, and of how many seeds where not all have it.

    The error is that of the spread over seeds, and at least what the evaluations by themselves leave open: two or three
    seeds may lie close together by chance. Where all seeds are judged on the same images alone (SHARED), their
    evaluations err together, and the mean errs as much as one does.

    >>> entries = [{"numbers": {"fd: a": [1.0, 0.2]}}, {"numbers": {"fd: a": [3.0, 0.2]}}]
    >>> cell(entries, "fd: a"), cell(entries[:1], "fd: a"), cell(entries, "fd: b")
    ('2.0 ± 1.0', '1.00 ± 0.20', '–')
    >>> cell([{"numbers": {"fd: a": [1.0, 0.3]}}, {"numbers": {"fd: a": [1.0, 0.4]}}], "fd: a")
    '1.00 ± 0.25'
    >>> cell([*entries, {"numbers": {}}], "fd: a")
    '2.0 ± 1.0 (2 of 3)'
    >>> cell([{"numbers": {"ood: a": [0.9, 0.02]}}, {"numbers": {"ood: a": [0.9, 0.02]}}], "ood: a")
    '0.900 ± 0.020'
    """
    found = values_of(entries, column)
    if not found:
        return "–"
    return with_error(*mean_of(found, column)) + (
        f" ({len(found)} of {len(entries)})" if len(found) < len(entries) else ""
    )


def values_of(entries: Sequence[Mapping[str, Any]], column: str) -> list[tuple[float, float | None]]:
    """Returns value and error of one number, of the trainings that have it."""
    told = (entry["numbers"].get(column, (None, None)) for entry in entries)
    return [(value, error) for value, error in told if value is not None]


def mean_of(found: Sequence[tuple[float, float | None]], column: str) -> tuple[float, float | None]:
    """Returns the mean of one number over trainings, and its standard error as in `cell`."""
    values, errors = zip(*found, strict=True)
    if len(found) == 1:
        return values[0], errors[0]
    own = [error or 0.0 for error in errors]
    measured = fmean(own) if column.startswith(SHARED) else math.hypot(*own) / len(own)
    return fmean(values), max(stdev(values) / math.sqrt(len(values)), measured)


def with_error(value: float, error: float | None) -> str:
    """Returns a number with as many digits as its error allows.

    >>> with_error(1.9712, 0.2134), with_error(0.0683, 0.0021), with_error(77.0, None), with_error(254.0, 30.0)
    ('1.97 ± 0.21', '0.0683 ± 0.0021', '77', '254 ± 30')
    >>> with_error(5.0, 0.0997), with_error(0.0, 0.000999)
    ('5.00 ± 0.10', '0.0000 ± 0.0010')
    """
    if not error or not math.isfinite(error):
        return f"{value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(float(f"{error:.1e}"))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"

"""What studies measured, as entries of the ledger: one for each training, with the first number of its study."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import stdev
from typing import Any

from ledger_entry import Entry
from results_study import HERE, Arm, Study, studies, study_of, words
from results_table import read, with_error


def study_entries(folder: Path = HERE) -> list[Entry]:
    """Returns an entry for every training of every study that was measured."""
    return [entry for name in studies(folder) for entry in _of(study_of(name, folder), folder)]


def _of(study: Study, folder: Path) -> Iterator[Entry]:
    measured = read(folder / study.name, [arm.name for arm in study.arms])
    column = study.columns[0]
    for arm in study.arms:
        seeds = [entry for entry in measured[arm.name] if _has(entry, column)]
        values = [float(entry["numbers"][column][0]) for entry in seeds]
        for entry, value in zip(seeds, values, strict=True):
            own = entry["numbers"][column][1] or 0.0
            error = max(own, stdev(values)) if len(values) > 1 else own
            yield Entry(
                id=f"{study.name}/{arm.name}-{entry['seed']}",
                pages=(f"docs/results/{study.name}.md",),
                text="",
                shown=with_error(value, error).split()[0],
                value=value,
                error=error,
                read=column,
                commands=_commands(study, arm, entry),
                definition=f"{column}, arm {arm.name}, training seed {entry['seed']}",
                minutes=round((entry["seconds"] + entry["judging"]) / 60, 1),
                date=entry["date"],
                commit=entry.get("commit", ""),
            )


def _has(entry: Mapping[str, Any], column: str) -> bool:
    return "failed" not in entry and column in entry["numbers"] and entry["numbers"][column][0] is not None


def _commands(study: Study, arm: Arm, entry: Mapping[str, Any]) -> tuple[str, str]:
    """Returns what trains an arm again by the recipe that the study keeps, and what judges it."""
    metric, _, _ = study.columns[0].partition(": ")
    asked = (flags for flags in entry["judged"] if metric in re.split(r"[+\s]", flags))
    recipe = f"docs/results/{study.name}/{arm.name}.toml"
    return (
        f"ebmkit run --recipe {recipe} --seed {entry['seed']} --out {{out}}/run",
        f"ebmkit eval {{out}}/run {shlex.join(words(next(asked)))} --out {{out}}/told.json",
    )

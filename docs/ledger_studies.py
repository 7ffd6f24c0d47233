"""What studies measured, as entries of the ledger: one for each number of a table and each training."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import stdev
from typing import Any

from ledger_entry import Entry
from results_study import HERE, Arm, Study, studies, study_of
from results_table import read, with_error


def study_entries(folder: Path = HERE) -> list[Entry]:
    """Returns an entry for every number in the tables of every study, and every training that has it."""
    return [entry for name in studies(folder) for entry in _of(study_of(name, folder), folder)]


def _of(study: Study, folder: Path) -> Iterator[Entry]:
    measured = read(folder / study.name, [arm.name for arm in study.arms])
    columns = dict.fromkeys(column for several in (study.columns, *study.tables.values()) for column in several)
    for arm in study.arms:
        for column in columns:
            seeds = [entry for entry in measured[arm.name] if _has(entry, column)]
            values = [float(entry["numbers"][column][0]) for entry in seeds]
            for entry, value in zip(seeds, values, strict=True):
                own = entry["numbers"][column][1] or 0.0
                error = max(own, stdev(values)) if len(values) > 1 else own
                yield Entry(
                    id=f"{study.name}/{arm.name}-{entry['seed']}/{column}",
                    pages=(f"docs/results/{study.name}.md",),
                    text="",
                    shown=with_error(value, error).split()[0],
                    value=value,
                    error=error,
                    read=column,
                    commands=_commands(study, arm, entry, column),
                    definition=f"{column}, arm {arm.name}, training seed {entry['seed']}",
                    minutes=round((entry["seconds"] + entry["judging"]) / 60, 1),
                    date=entry["date"],
                    commit=entry.get("commit", ""),
                )


def _has(entry: Mapping[str, Any], column: str) -> bool:
    """Says whether a training has a number that an evaluation gave; that of the gap is from its log."""
    if "failed" in entry or entry["numbers"].get(column, (None,))[0] is None:
        return False
    return any(_gives(flags, column) for flags in entry["judged"])


def _gives(flags: str, column: str) -> bool:
    return column.partition(": ")[0] in re.split(r"[+\s]", flags)


def _commands(study: Study, arm: Arm, entry: Mapping[str, Any], column: str) -> tuple[str, str]:
    """Returns what trains an arm again by the recipe that the study keeps, and what gives one number of it."""
    asked = (flags for flags in entry["judged"] if _gives(flags, column))
    recipe = f"docs/results/{study.name}/{arm.name}.toml"
    return (
        f"ebmkit run --recipe {recipe} --seed {entry['seed']} --out {{out}}/run",
        f"ebmkit eval {{out}}/run {next(asked)} --out {{out}}/told.json",
    )

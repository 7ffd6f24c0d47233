"""What studies measured, as entries of the ledger: one for each number of a table and each training."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median, stdev
from typing import Any

from ledger_entry import Entry
from results_study import HERE, Arm, Study, studies, study_of
from results_table import mean_of, read, values_of, with_error


def study_entries(folder: Path = HERE) -> list[Entry]:
    """Returns an entry for every number in the tables of every study, and every training that has it."""
    return [entry for name in studies(folder) for entry in _of(study_of(name, folder), folder)]


def _of(study: Study, folder: Path) -> Iterator[Entry]:
    measured = read(folder / study.name, [arm.name for arm in study.arms])
    columns = dict.fromkeys(column for several in (study.columns, *study.tables.values()) for column in several)
    for column in columns:
        by_arm = {arm: [entry for entry in measured[arm.name] if _has(entry, column)] for arm in study.arms}
        usual = spread([values_of(seeds, column) for seeds in by_arm.values()])
        for arm, seeds in by_arm.items():
            values = [value for value, _ in values_of(seeds, column)]
            for entry, value in zip(seeds, values, strict=True):
                own = entry["numbers"][column][1] or 0.0
                error = max(own, stdev(values) if len(values) > 1 else usual)
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


def spread(arms: Sequence[Sequence[tuple[float, float | None]]]) -> float:
    """Returns the median over arms of the standard deviation of a number over seeds; 0.0 where no arm has several.

    A training on another machine is another model, as with another seed: also where an arm has one seed alone.

    >>> spread([[(1.0, 0.1), (2.0, 0.1), (3.0, 0.1)], [(5.0, 0.1)], [(2.0, None), (2.0, None)]])
    0.5
    """
    return median([stdev(value for value, _ in found) for found in arms if len(found) > 1] or [0.0])


def told_of(study: Study, folder: Path = HERE) -> list[tuple[float, float]]:
    """Returns every number of a study with its error: of each training, of each quarter, and means over seeds."""
    found = list[tuple[float, float | None]]()
    for seeds in read(folder / study.name, [arm.name for arm in study.arms]).values():
        worked = [entry for entry in seeds if "failed" not in entry]
        quarters = zip(*(entry.get("curve", {}).values() for entry in worked), strict=False)
        for several in ([entry["numbers"] for entry in worked], *map(list, quarters)):
            for column in dict.fromkeys(name for numbers in several for name in numbers):
                values = values_of([{"numbers": numbers} for numbers in several], column)
                found += [*values, mean_of(values, column)] if values else []
    return [(value, error) for value, error in found if error is not None]


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

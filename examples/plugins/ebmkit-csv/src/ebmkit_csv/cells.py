"""The cells of a CSV file: columns of numbers and one of labels."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from ebmkit import DataError
from ebmkit_csv.declarations import CsvConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """What is read of a file.

    Attributes:
        columns: names of the numbers.
        numbers: by row.
        labels: by row; empty where no column of labels was named.
    """

    columns: tuple[str, ...]
    numbers: list[list[float]]
    labels: list[str]


def read_cells(config: CsvConfig) -> Cells:
    """Reads a file.

    Raises:
        DataError: there is none, it is damaged, it lacks a column, or a cell holds no number.
    """
    if not config.path:
        raise DataError("csv: which file? Write --data csv:FILE.csv, or path = in [data].")
    try:
        with Path(config.path).open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter=config.delimiter)
            heads = [head.strip() for head in next(lines, [])]
            columns = _columns(config, heads)
            return _read(config, heads, columns, lines)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{config.path} cannot be read as a CSV file: {error}.") from error


def _read(config: CsvConfig, heads: Sequence[str], columns: Sequence[str], lines: csv._reader) -> Cells:
    places, numbers, labels = [heads.index(name) for name in columns], list[list[float]](), list[str]()
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(heads):
            raise DataError(f"{config.path}, line {lines.line_num}: {len(cells)} cells, and {len(heads)} columns.")
        where = f"{config.path}, line {lines.line_num}, column "
        numbers.append([_number(cells[place], where + name) for place, name in zip(places, columns, strict=True)])
        if config.label:
            labels.append(cells[heads.index(config.label)].strip())
    return Cells(columns=tuple(columns), numbers=numbers, labels=labels)


def _columns(config: CsvConfig, heads: Sequence[str]) -> list[str]:
    """Returns the columns of x; raises DataError where one is not there."""
    wanted = [*config.columns] or [head for head in heads if head != config.label]
    twice = sorted({head for head in heads if heads.count(head) > 1})
    missing = [name for name in [*wanted, *([config.label] if config.label else [])] if name not in heads]
    if missing or twice or not wanted:
        wrong = f"no column {', '.join(missing)}" if missing else f"two columns {', '.join(twice)}" if twice else "no x"
        raise DataError(f"{config.path}: {wrong}. Its first line names: {', '.join(heads) or 'nothing'}.")
    return wanted


def _number(cell: str, where: str) -> float:
    try:
        found = float(cell)
    except ValueError:
        found = float("nan")
    if not isfinite(found):
        raise DataError(
            f"{where}: {cell!r} is no number. Leave the column out (data.columns lists those that count), name it as "
            "data.label, or take out the row."
        )
    return found

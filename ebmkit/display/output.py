"""Where words go: results to stdout, remarks to stderr; tables for a person's terminal, plain lines for a pipe."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


NARROW = 90  # columns; below, a table would be all wrapping


def say(line: str = "") -> None:
    """Writes a line of the result to stdout."""
    print(line, flush=True)  # noqa: T201


def remark(line: str) -> None:
    """Writes a line that is not part of the result to stderr."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def is_terminal() -> bool:
    """Whether a person watches stdout on a terminal that can move its cursor."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def console() -> Console:
    """Returns the rich console of a terminal; it respects NO_COLOR."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], wide: str) -> None:
    """Writes a table: drawn and wrapped on a terminal, else one line a row with nothing left out.

    Args:
        header: names of the columns.
        rows: cells.
        wide: the column that wraps on a terminal.
    """
    cells = [tuple(row) for row in rows]
    if not is_terminal():
        _plain_table([tuple(header), *cells])
    elif get_terminal_size().columns < NARROW:
        _stacked_table(header, cells, wide)
    else:
        _drawn_table(header, cells, wide)


def paragraph(text: str, indent: int) -> None:
    """Writes indented text: wrapped on a terminal, one line a paragraph elsewhere."""
    width = max(40, min(100, get_terminal_size().columns)) if is_terminal() else 10**9
    for line in text.splitlines():
        say(textwrap.fill(line, width, initial_indent=" " * indent, subsequent_indent=" " * indent))


def _plain_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _stacked_table(header: Sequence[str], rows: Sequence[Sequence[str]], wide: str) -> None:
    place = list(header).index(wide)
    for row in rows:
        say("  ".join(cell for i, cell in enumerate(row) if i != place))
        paragraph(row[place], indent=4)


def _drawn_table(header: Sequence[str], rows: Sequence[Sequence[str]], wide: str) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for name in header:
        drawn.add_column(name, no_wrap=name != wide, overflow="fold", style="bold" if name == "name" else "")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console().print(drawn)

"""Tables: drawn on a terminal, stacked where it is narrow, and one line a row with nothing left out in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ebmkit.display.output import NO_LIMIT, columns, console, is_screen, packed, paragraph, say

NARROW = 90  # columns; below, a table would be all wrapping


def table(header: Sequence[str], rows: Iterable[Sequence[str]], wide: str) -> None:
    """Writes a table.

    Args:
        header: names of the columns.
        rows: cells.
        wide: the column that wraps on a terminal.
    """
    cells = [tuple(row) for row in rows]
    if not is_screen():
        _plain(cells=[tuple(header), *cells])
    elif columns() < NARROW:
        _stacked(header, cells, wide)
    else:
        _drawn(header, cells, wide)


def numbers(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes a table of numbers whose first column names the rows; where it is too wide, each number on its own line.

    Args:
        header: names of the columns; that of the first one may be empty.
        rows: cells.
    """
    cells = [tuple(header), *(tuple(row) for row in rows)]
    if not is_screen():
        _plain(cells)
        return
    if _drawn_numbers(cells[0], cells[1:]):
        return
    for row in cells[1:]:
        say(row[0])
        for name, cell in zip(header[1:], row[1:], strict=True):
            if cell:
                paragraph(f"{name} {cell}".strip(), indent=2)


def _drawn_numbers(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Draws a table where the screen has room for all of it, and returns whether it has."""
    from rich import box
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for place, name in enumerate(header):
        drawn.add_column(Text(name), no_wrap=True, style="bold" if place == 0 else "")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    screen = console()
    if Measurement.get(screen, screen.options.update(max_width=NO_LIMIT), drawn).maximum > columns():
        return False
    screen.print(drawn)
    return True


def _plain(cells: Sequence[Sequence[str]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    for row in cells:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _stacked(header: Sequence[str], rows: Sequence[Sequence[str]], wide: str) -> None:
    place = list(header).index(wide)
    for row in rows:
        for line in packed([cell for i, cell in enumerate(row) if i != place], columns(), "  "):
            say(line)
        paragraph(row[place], indent=4)


def _drawn(header: Sequence[str], rows: Sequence[Sequence[str]], wide: str) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for name in header:
        drawn.add_column(name, no_wrap=name != wide, overflow="fold", style="bold" if name == "name" else "")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console().print(drawn)

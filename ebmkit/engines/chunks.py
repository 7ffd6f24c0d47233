"""Large batches in chunks of rows, whose activations stay in a CPU's cache."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Literal

from torch import Tensor

from ebmkit.errors import EbmkitError
from ebmkit.point import Point

Rows = int | Literal["auto"]
RowFunction = Callable[[Point], tuple[Tensor, ...]]
CANDIDATES = (500, 1000, 2000, 4000)
WORTH = 1.1
"""A chunk size must be this many times as fast as whole batches, else it is off."""


def in_chunks(function: RowFunction, point: Point, rows: int) -> tuple[Tensor, ...]:
    """Returns what a function gives of all rows, asked of at most so many at a time.

    Rows of an energy do not see each other, so that the result is that of one pass, up to rounding. The last chunk is
    smaller where the rows do not divide.

    Args:
        function: a point of b rows → tensors [b, ...].
        point: B rows.
        rows: of a chunk; 0 for all at once.
    """
    n = len(point)
    if rows == 0 or n <= rows:
        return function(point)
    whole: list[Tensor] = []
    for start in range(0, n, rows):
        parts = function(_between(point, start, start + rows))
        if not whole:
            whole = [part.new_empty((n, *part.shape[1:])) for part in parts]
        for target, part in zip(whole, parts, strict=True):
            target[start : start + rows].copy_(part)
    return tuple(whole)


def chosen_rows(function: RowFunction, point: Point) -> int:
    """Returns the chunk size that runs a large batch fastest here, 0 where none is worth it.

    The whole batch is timed against four chunks of each size. A function that knows the size of the whole batch (it
    closes over one number a row, say) cannot be asked in chunks: where chunks fail, or change a value by more than
    rounding, they are off.
    """
    expected = function(point)  # the first pass pays for memory
    whole = _seconds(function, point, 0) / len(point)
    found = {0: whole / WORTH}
    for rows in CANDIDATES:
        head = _between(point, 0, 4 * rows)
        try:
            agrees = _agree(in_chunks(function, head, rows), expected, len(head))
        except (RuntimeError, IndexError, ValueError, EbmkitError):
            return 0
        if not agrees:
            return 0
        found[rows] = _seconds(function, head, rows) / len(head)
    return min(found, key=found.__getitem__)


def _agree(found: tuple[Tensor, ...], expected: tuple[Tensor, ...], n: int) -> bool:
    return all(
        bool((a - b[:n]).norm() <= 1e-2 * b[:n].norm() + 1e-6) for a, b in zip(found, expected, strict=True)
    )  # a bf16 drift differs by its rounding


def _between(point: Point, start: int, stop: int) -> Point:
    return point.map(lambda tensor: tensor[start:stop])


def _seconds(function: RowFunction, point: Point, rows: int) -> float:
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        in_chunks(function, point, rows)
        times.append(time.perf_counter() - begun)
    return median(times)

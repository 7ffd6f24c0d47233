"""Large batches in chunks of rows, whose activations stay in a CPU's cache."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Literal

import torch
from torch import Tensor

from ebmkit.errors import EbmkitError
from ebmkit.point import Point
from ebmkit.views.agreement import disagreement

Rows = int | Literal["auto"]
RowFunction = Callable[[Point], tuple[Tensor, ...]]
Clock = Callable[[], float]
CANDIDATES = (500, 1000, 2000, 4000)
WORTH = 1.1
"""A chunk size must be this many times as fast as whole batches, else it is off."""
MOST = 32_768
"""Rows that are timed: the head of a larger batch stands for it."""
ROUNDS = 5
SECONDS = 5.0
"""Within these seconds rounds are begun; two are made in any case."""
CACHE = 2**22
"""Bytes kept for the backward pass up to which a whole batch is left alone: it stays in a cache as it is."""
SAME = 1e-2
"""How far a row may be off in chunks, relative to its norm: a bf16 gradient differs by its rounding."""


def in_chunks(function: RowFunction, point: Point, rows: int) -> tuple[Tensor, ...]:
    """Returns what a function gives of all rows, asked of at most so many at a time.

    Rows of an energy do not see each other, so that the result is that of one pass, up to rounding. The last chunk is
    smaller where the rows do not divide. What has the shape of x is laid out in memory as x is.

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
            whole = [_room(part, point.x) for part in parts]
        for target, part in zip(whole, parts, strict=True):
            target[start : start + rows].copy_(part)
    return tuple(whole)


def chosen_rows(function: RowFunction, point: Point, clock: Clock = time.perf_counter) -> int:
    """Returns the chunk size that runs a large batch fastest here, 0 where none is worth it.

    A function that keeps less than `CACHE` for its backward pass is left alone. Else whole passes and passes in chunks
    of each size are timed in turn; the best size, by the median over the rounds of its ratio to the whole pass, must be
    `WORTH` times as fast, and again so when it is timed once more. A function that knows the size of the whole batch
    (it closes over one number a row, say) cannot be asked in chunks: where chunks fail, or change a value by more than
    rounding, they are off.

    Args:
        function: to be asked, a point of b rows → tensors [b, ...].
        point: a batch as it will be asked for.
        clock: tells seconds.
    """
    expected, kept = _with_bytes_kept(function, point)  # the first pass pays for memory
    if kept < CACHE:
        return 0
    head = _between(point, 0, MOST)
    try:
        moved = _moved(point)
        if not (_agrees(function, point, expected) and _agrees(function, moved, function(moved))):
            return 0
        found = _gains(function, head, [rows for rows in CANDIDATES if rows < len(head)], clock)
        best = max(found, key=found.__getitem__, default=0)
        if best and found[best] >= WORTH and _gains(function, head, [best], clock)[best] >= WORTH:
            return best
    except (RuntimeError, IndexError, ValueError, EbmkitError):
        pass
    return 0


def _with_bytes_kept(function: RowFunction, point: Point) -> tuple[tuple[Tensor, ...], int]:
    """Returns what a function gives, and how many bytes it keeps for its backward pass, each tensor counted once."""
    sizes: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        return function(point), sum(sizes.values())


def _gains(function: RowFunction, point: Point, sizes: list[int], clock: Clock) -> dict[int, float]:
    """Returns how many times as fast as a whole pass each size is, the median of rounds that time them in turn."""
    found: dict[int, list[float]] = {rows: [] for rows in sizes}
    begun = clock()
    for i in range(ROUNDS):
        if i >= 2 and clock() - begun > SECONDS:
            break
        whole = _seconds(function, point, 0, clock)
        for rows in sizes:
            found[rows].append(whole / max(_seconds(function, point, rows, clock), 1e-9))
    return {rows: median(ratios) for rows, ratios in found.items()}


def _agrees(function: RowFunction, point: Point, expected: tuple[Tensor, ...]) -> bool:
    """Whether four small chunks give what one pass gives: what knows its batch fails there, if anywhere."""
    n = min(4 * CANDIDATES[0], len(point))
    found = in_chunks(function, _between(point, 0, n), CANDIDATES[0])
    return max(disagreement(found, tuple(tensor[:n] for tensor in expected))) <= SAME


def _moved(point: Point) -> Point:
    """Returns the point with x moved, no two entries alike: where all chains start at 0, much agrees by chance."""
    x = point.x.detach()
    return point.replace(x=x + torch.linspace(0.1, 1, x.numel(), dtype=x.dtype, device=x.device).view(x.shape))


def _room(part: Tensor, x: Tensor) -> Tensor:
    if part.shape[1:] == x.shape[1:]:
        return torch.empty_like(x, dtype=part.dtype, requires_grad=False)
    return part.new_empty((len(x), *part.shape[1:]))


def _between(point: Point, start: int, stop: int) -> Point:
    return point.map(lambda tensor: tensor[start:stop])


def _seconds(function: RowFunction, point: Point, rows: int, clock: Clock) -> float:
    begun = clock()
    in_chunks(function, point, rows)
    return clock() - begun

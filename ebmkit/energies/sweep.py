"""A point at every value of one of its coordinates, a bounded number of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from ebmkit.point import Point


def sweep(point: Point, name: str, n_values: int, rows: int) -> Iterator[tuple[Tensor, Point]]:
    """Yields every row of a point at every value of a discrete coordinate: B·L rows, in pieces that fit into memory.

    What is asked of the pieces and joined again is laid out as "(b level) ...": all values of the first row come first.

    Args:
        point: B rows; it need not have the coordinate.
        name: of the coordinate.
        n_values: L, how many values it has.
        rows: of a piece, at most.

    Yields:
        The place [R] in the point of each row of a piece, and the piece.

    >>> pieces = sweep(Point(x=torch.tensor([[1.0], [2.0]])), "level", n_values=3, rows=4)
    >>> [(row.tolist(), piece.aux["level"].tolist()) for row, piece in pieces]
    [([0, 0, 0, 1], [0, 1, 2, 0]), ([1, 1], [1, 2])]
    """
    for place in torch.split(torch.arange(len(point) * n_values, device=point.x.device), rows):
        row, value = place // n_values, place % n_values
        yield row, point.map(partial(torch.index_select, dim=0, index=row)).with_aux(**{name: value})

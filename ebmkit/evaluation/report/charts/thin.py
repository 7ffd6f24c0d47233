"""Long curves drawn with no more points than a screen shows, and their running mean."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, isfinite

COLUMNS = 300
"""Of a chart, in each of which a curve keeps its lowest and its highest point."""

Points = list[tuple[float, float]]


def thinned(points: Sequence[tuple[float, float]], columns: int = COLUMNS) -> Points:
    """Returns a curve whose every column keeps its first, lowest, highest and last point: it looks the same.

    Args:
        points: (x, y), x rising; y may be NaN or infinite, which breaks the curve.
        columns: of equal width.
    """
    if len(points) <= 4 * columns:
        return list(points)
    low, high = points[0][0], points[-1][0]
    width = (high - low) / columns or 1.0
    kept: Points = []
    column: Points = []
    number = 0
    for point in points:
        if (here := min(int((point[0] - low) / width), columns - 1)) != number:
            kept += _telling(column)
            column, number = [], here
        column.append(point)
    return kept + _telling(column)


def _telling(column: Points) -> Points:
    """Returns the first, lowest, highest and last point of a column, in order, and one that breaks the curve."""
    finite = [point for point in column if isfinite(point[1])]
    if not finite:
        return column[:1]
    lowest, highest = min(finite, key=lambda p: p[1]), max(finite, key=lambda p: p[1])
    broken = [point for point in column if not isfinite(point[1])][:1]
    return sorted({column[0], lowest, highest, column[-1], *broken}, key=lambda p: p[0])


def running_mean(points: Sequence[tuple[float, float]], window: int) -> Points:
    """Returns the mean of up to `window` finite points around each point, the same number on both sides.

    >>> running_mean([(1, 0.0), (2, 3.0), (3, 0.0), (4, 3.0)], 3)
    [(1, 0.0), (2, 1.0), (3, 2.0), (4, 3.0)]
    """
    finite = [(x, y) for x, y in points if isfinite(y)]
    means: Points = []
    for i, (x, _) in enumerate(finite):
        half = min(window // 2, i, len(finite) - 1 - i)
        near = (y for _, y in finite[i - half : i + half + 1])
        means.append((x, fsum(near) / (2 * half + 1)))  # prefix sums would lose all digits after one huge value
    return means

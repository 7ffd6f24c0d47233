"""The value range of data that somebody hands over."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.errors import DataError

Range = tuple[float, float] | None


def range_of(x: Tensor) -> Range:
    """Returns (0, 1) for uint8 values, which are dequantised, and for floats that all lie in it; else None.

    >>> range_of(torch.tensor([0.0, 0.5])), range_of(torch.tensor([-1.0, 0.5]))
    ((0.0, 1.0), None)
    """
    return (0.0, 1.0) if x.dtype == torch.uint8 or bool(((x >= 0) & (x <= 1)).all()) else None


def check_range(x: Tensor, value_range: Range) -> None:
    """Raises DataError where values lie outside their range."""
    if value_range is None or x.dtype == torch.uint8:
        return
    if len(value_range) != 2:
        raise DataError(f"value_range = {value_range} is no range: give (lowest, highest).")
    low, high = value_range
    if not low < high:
        raise DataError(f"value_range = {value_range} is no range: give (lowest, highest).")
    if float(x.min()) < low or float(x.max()) > high:
        raise DataError(
            f"x lies in [{float(x.min()):g}, {float(x.max()):g}], outside value_range = ({low:g}, {high:g}). Rescale "
            "it, or give the range that it has."
        )

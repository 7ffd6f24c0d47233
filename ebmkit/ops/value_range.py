"""Data of a value range, scaled to [−1, 1] and back: what coordinates that noise x hold."""

from __future__ import annotations

from torch import Tensor

ValueRange = tuple[float, float]


def to_symmetric(x: Tensor, value_range: ValueRange | None) -> Tensor:
    """Returns x scaled from its value range to [−1, 1], or as it is without one.

    >>> import torch
    >>> to_symmetric(torch.tensor([0.0, 0.25, 1.0]), (0.0, 1.0)).tolist()
    [-1.0, -0.5, 1.0]
    """
    if value_range is None:
        return x
    low, high = value_range
    return (x - low) * (2 / (high - low)) - 1


def from_symmetric(x: Tensor, value_range: ValueRange | None) -> Tensor:
    """Returns x scaled from [−1, 1] to a value range, or as it is without one; what lies outside stays outside.

    >>> import torch
    >>> from_symmetric(torch.tensor([-1.0, 0.0, 3.0]), (0.0, 1.0)).tolist()
    [0.0, 0.5, 2.0]
    """
    if value_range is None:
        return x
    low, high = value_range
    return low + (x + 1) * ((high - low) / 2)

"""What a data set promises."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from torch import Generator, Tensor

from ebmkit.point import Batch

XValues = Literal["real", "binary", "one-hot"]
"""How x is held: real-valued, or of discrete x two values an entry, or a single 1 along the last axis."""


@runtime_checkable
class Dataset(Protocol):
    """Training data of one event shape.

    The declaration of a set of discrete x gives `data.discrete`.

    Attributes:
        event_shape: shape of one datum, (channels, height, width) for images.
        x_values: "real", or of discrete x "binary" (each entry is the lowest or the highest value of its range) or
            "one-hot" (along the last axis).
        value_range: (lowest, highest) value of x, or None where x is unbounded.
        n_classes: number of label values, 0 where there are no labels.
        class_names: their names, perhaps empty.
    """

    event_shape: tuple[int, ...]
    value_range: tuple[float, float] | None
    n_classes: int
    class_names: tuple[str, ...]

    @property
    def x_values(self) -> XValues: ...  # noqa: D102

    def __len__(self) -> int:
        """Returns the number of data."""
        ...

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        """Returns the data of these rows, dequantised; a set drawn on the fly only counts the rows."""
        ...

    def split(self, name: str) -> Dataset:
        """Returns the "train" or "test" part; raises DataError where there is none."""
        ...

"""What a data set promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from torch import Generator, Tensor

from ebmkit.point import Batch, XValues


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


@runtime_checkable
class InShards(Protocol):
    """A `Dataset` whose rows lie in shards, of which few are in memory: an epoch takes them in an order of its own.

    Attributes:
        shard_sizes: rows of each shard, in the order of the rows.
        mixed: shards whose rows are shuffled together.
    """

    shard_sizes: tuple[int, ...]
    mixed: int

    def expect(self, shards: Sequence[int]) -> None:
        """Begins to read shards that will be wanted; returns at once."""
        ...


@runtime_checkable
class WithPosition(Protocol):
    """A `Dataset` without rows, whose next batch depends on what it gave before."""

    def state_dict(self) -> dict[str, Tensor]:
        """Returns where it is."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes to where it was; raises CheckpointError where it cannot."""
        ...

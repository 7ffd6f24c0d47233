"""What a coordinate promises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from torch import Generator, Tensor

from ebmkit.point import Batch, Point


@runtime_checkable
class Coordinate(Protocol):
    """One named entry of a point beyond x: how it is lifted from data, where its chains start, what it still shows.

    Attributes:
        name: its key in `Point.aux`.
        noises_x: whether lifting changes x, so that the value range of the data no longer bounds it.
        n_values: how many values it has, 0 … n_values − 1 as int64 [B]; None where it is not discrete.
        leaves_data: whether a row can be away from data by its value, as at a noise level above 0; where it is False,
            `is_data` is True for every row.
    """

    name: str

    @property
    def noises_x(self) -> bool: ...  # noqa: D102

    @property
    def n_values(self) -> int | None: ...  # noqa: D102

    @property
    def leaves_data(self) -> bool: ...  # noqa: D102

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        """Returns the point with this coordinate drawn for each datum (and x changed where it noises x)."""
        ...

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        """Returns the n-row point with this coordinate drawn for fresh chains; purpose is "buffer" or "generation"."""
        ...

    def clean(self, point: Point) -> Point:
        """Returns the point with this coordinate at the value that data have."""
        ...

    def is_data(self, point: Point) -> Tensor:
        """Returns [B] bool: the rows that are points of the data distribution."""
        ...

    def signal(self, point: Point) -> Tensor:
        """Returns [B] in [0, 1]: how much of the datum the row still holds."""
        ...

    def to_data(self, point: Point) -> Tensor:
        """Returns x in the value range of the data, for pictures and metrics."""
        ...


@runtime_checkable
class Noising(Protocol):
    """A coordinate that knows how much Gaussian noise x holds.

    Along a discrete one that leaves data, samples can be annealed: fresh chains of generation start at its last value,
    data are at 0, and value j is value j − 1 with more noise, x_j = αx_{j−1} + (independent normal).
    """

    def noise(self, point: Point) -> tuple[Tensor, Tensor]:
        """Returns a and σ [B]: x of a row is a·x₀ + σ·(standard normal), x₀ a clean datum in the units of chains."""
        ...


@runtime_checkable
class Smoothing(Protocol):
    """A coordinate that adds noise to data before all else: the model's clean data have it.

    Attributes:
        smooth: its s.d., as chains hold x; 0 for none.
    """

    smooth: float


@runtime_checkable
class Descending(Protocol):
    """A coordinate along which samples come down from noise to data, though no sampler moves it.

    Chains of generation start at the last value of a discrete one that leaves data; after each transition they go down
    by one, until they are data at 0. Other coordinates that have to follow are descending, too.
    """

    def descend(self, point: Point) -> Point:
        """Returns the point one value further down, with x as the chain goes on from there."""
        ...


@runtime_checkable
class Rescaling(Protocol):
    """A coordinate whose chains hold x in other units than data do."""

    def from_data(self, point: Point) -> Point:
        """Returns the point with x as chains hold it: the inverse of `to_data`, differentiable in x."""
        ...


def in_units_of_chains(coordinates: Iterable[Coordinate], x: Tensor) -> Tensor:
    """Returns data x [B, *event] in the units in which chains hold them."""
    point = Point(x=x)
    for coordinate in coordinates:
        point = coordinate.from_data(point) if isinstance(coordinate, Rescaling) else point
    return point.x

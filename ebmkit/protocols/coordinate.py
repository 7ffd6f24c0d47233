"""What a coordinate promises."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Generator, Tensor

from ebmkit.point import Batch, Point


@runtime_checkable
class Coordinate(Protocol):
    """One named entry of a point beyond x: how it is lifted from data, where its chains start, what it still shows.

    Attributes:
        name: its key in `Point.aux`.
        leaves_data: whether some value of it is away from data, as a high noise level is; generation then takes a chain
            at a visit to data, and not after a number of transitions.
    """

    name: str
    leaves_data: bool

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

"""What a buffer promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Generator, Tensor

from ebmkit.point import Point


@runtime_checkable
class Buffer(Protocol):
    """Owns the negatives between training steps, with all their coordinates.

    A token is its own: what `draw` returned, `put` and `reference` are handed again, and nobody else looks into it.

    Attributes:
        filled: rows that hold chains which a sampler has moved; the others are as drawn from the prior.
    """

    @property
    def filled(self) -> int: ...  # noqa: D102

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        """Returns a token and B chains to continue, with the positive's values of the coordinates in `match`."""
        ...

    def put(self, token: Any, point: Point) -> None:
        """Takes the moved chains back."""
        ...

    def reference(self, k: int, rng: Generator, exclude: Any = None) -> Point:
        """Returns k other rows, for an entropy, moved ones first; never the rows that a token holds."""
        ...

    def __len__(self) -> int: ...

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the rows, to be saved."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes saved rows."""
        ...

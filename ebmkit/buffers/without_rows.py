"""What buffers share that keep no chains from step to step."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Generator, Tensor

from ebmkit.errors import CapabilityError, CheckpointError
from ebmkit.point import Point


class WithoutRows:
    """A buffer that begins anew at every step; how, its `draw` says.

    Attributes:
        name: of the buffer, for messages.
    """

    name: str

    @property
    def filled(self) -> int:
        """0: it has no rows."""
        return 0

    def put(self, token: None, point: Point) -> None:
        """Keeps nothing."""

    def reference(self, k: int, rng: Generator, exclude: None = None) -> Point:
        """Raises CapabilityError: there are no other rows."""
        raise CapabilityError(
            f"Reference rows were asked for, but the buffer '{self.name}' keeps none: use --buffer replay."
        )

    def __len__(self) -> int:
        return 0

    def state_dict(self) -> dict[str, Tensor]:
        """Returns nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes nothing; raises CheckpointError where there is something."""
        if state:
            raise CheckpointError(f"The saved run had a buffer with rows, but this recipe's buffer is '{self.name}'.")

"""No memory: every training step starts fresh chains (short-run sampling)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Generator, Tensor

from ebmkit.buffers.declarations import NoBufferConfig
from ebmkit.errors import CapabilityError, CheckpointError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.prior import Fresh


class NoBuffer:
    """Draws from the prior and keeps nothing."""

    def __init__(self, fresh: Fresh) -> None:
        self.fresh = fresh

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[None, Point]:
        """Returns no token, and fresh chains with the positive's values of what is matched."""
        point = self.fresh(len(positive), rng)
        return None, point.with_aux(**{name: positive.aux[name] for name in sorted(match)})

    @property
    def filled(self) -> int:
        """None: it has no rows."""
        return 0

    def put(self, token: None, point: Point) -> None:
        """Keeps nothing."""

    def reference(self, k: int, rng: Generator, exclude: None = None) -> Point:
        """Raises CapabilityError: there are no other rows."""
        raise CapabilityError("Reference rows were asked for, but the buffer 'none' keeps none: use --buffer replay.")

    def __len__(self) -> int:
        return 0

    def state_dict(self) -> dict[str, Tensor]:
        """Returns nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes nothing; raises CheckpointError where there is something."""
        if state:
            raise CheckpointError("The saved run had a buffer with rows, but this recipe's buffer is 'none'.")


def build_none(config: NoBufferConfig, context: BuildContext) -> NoBuffer:
    """Builds the buffer."""
    return NoBuffer(Fresh(context))

"""No memory: every training step starts fresh chains (short-run sampling)."""

from __future__ import annotations

from torch import Generator

from ebmkit.buffers.declarations import NoBufferConfig
from ebmkit.buffers.without_rows import WithoutRows
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.prior import Fresh


class NoBuffer(WithoutRows):
    """Draws from the prior and keeps nothing."""

    name = "none"

    def __init__(self, fresh: Fresh) -> None:
        self.fresh = fresh

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[None, Point]:
        """Returns no token, and fresh chains with the positive's values of what is matched."""
        point = self.fresh(len(positive), rng)
        return None, point.with_aux(**{name: positive.aux[name] for name in sorted(match)})


def build_none(config: NoBufferConfig, context: BuildContext) -> NoBuffer:
    """Builds the buffer."""
    return NoBuffer(Fresh(context))

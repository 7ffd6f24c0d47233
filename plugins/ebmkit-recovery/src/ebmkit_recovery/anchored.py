"""Chains that start at their anchor, anew at every step."""

from __future__ import annotations

from torch import Generator

from ebmkit import BuildContext, Point
from ebmkit.buffers.without_rows import WithoutRows
from ebmkit_recovery.anchor import level_of_ladder
from ebmkit_recovery.declarations import ANCHOR, AnchoredConfig


class AnchoredBuffer(WithoutRows):
    """Chain b starts at the anchor of row b, with its level and all other coordinates. Nothing is kept.

    Source: Gao et al. (2021), algorithm 1.
    """

    name = "anchored"

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[None, Point]:
        """Returns no token, and chains at their anchors."""
        chains = positive.map(lambda rows: rows.detach().clone())
        return None, chains.replace(x=chains.aux[ANCHOR].clone())


def build_anchored(config: AnchoredConfig, context: BuildContext) -> AnchoredBuffer:
    """Builds the buffer; raises CapabilityError where the run has no anchor."""
    level_of_ladder(context, "anchored")
    context.coordinate(ANCHOR)
    return AnchoredBuffer()

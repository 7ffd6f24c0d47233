"""Chains that start at their anchor, anew at every step."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Generator, Tensor

from ebmkit import BuildContext, CapabilityError, CheckpointError, Point
from ebmkit_recovery.anchor import level_of_ladder
from ebmkit_recovery.declarations import ANCHOR, AnchoredConfig


class AnchoredBuffer:
    """Chain b starts at the anchor of row b, with its level and all other coordinates. Nothing is kept.

    Source: Gao et al. (2021), algorithm 1.
    """

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[None, Point]:
        """Returns no token, and chains at their anchors."""
        chains = positive.map(lambda rows: rows.detach().clone())
        return None, chains.replace(x=chains.aux[ANCHOR].clone())

    @property
    def filled(self) -> int:
        """None: it has no rows."""
        return 0

    def put(self, token: None, point: Point) -> None:
        """Keeps nothing."""

    def reference(self, k: int, rng: Generator, exclude: None = None) -> Point:
        """Raises CapabilityError: there are no other rows."""
        raise CapabilityError("Reference rows were asked for, but the buffer 'anchored' keeps none.")

    def __len__(self) -> int:
        return 0

    def state_dict(self) -> dict[str, Tensor]:
        """Returns nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes nothing; raises CheckpointError where there is something."""
        if state:
            raise CheckpointError("The saved run had a buffer with rows, but this recipe's buffer is 'anchored'.")


def build_anchored(config: AnchoredConfig, context: BuildContext) -> AnchoredBuffer:
    """Builds the buffer; raises CapabilityError where the run has no anchor."""
    level_of_ladder(context, "anchored")
    context.coordinate(ANCHOR)
    return AnchoredBuffer()

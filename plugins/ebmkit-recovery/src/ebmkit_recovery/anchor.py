"""The anchor as a coordinate: the noisier x from which a row is to be recovered."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ebmkit import Batch, BuildContext, CapabilityError, Point
from ebmkit.ops.rows import normal, rows_as
from ebmkit_recovery.declarations import ANCHOR, LEVEL, AnchorConfig
from ebmkit_recovery.level import RecoveryLevel


class Anchor:
    """x̃ = y + σ_t ε [B, *event], data units: drawn with the datum, and where a fresh chain starts.

    Attributes:
        noises_x: x itself is left alone.
        n_values: it is not discrete.
        leaves_data: whether a row is data, the level says.
    """

    name = ANCHOR
    noises_x = False
    n_values = None
    leaves_data = False

    def __init__(self, level: RecoveryLevel) -> None:
        self.level = level

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        """Returns the point with x and the noise of its level as its anchor."""
        sd = rows_as(self.level.sds[point.aux[LEVEL]], point.x).to(point.x)
        return point.with_aux(**{ANCHOR: point.x + sd * normal(point.x, rng)})

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        """Returns fresh chains, which start at their anchor."""
        return point.with_aux(**{ANCHOR: point.x})

    def descend(self, point: Point) -> Point:
        """Returns chains anchored at where they came out, and starting there."""
        return point.with_aux(**{ANCHOR: point.x})

    def clean(self, point: Point) -> Point:
        """Returns the point anchored at itself: at level 0 nothing is recovered, and the anchor is not looked at."""
        return point.with_aux(**{ANCHOR: point.x})

    def is_data(self, point: Point) -> Tensor:
        """Returns True [B]."""
        return torch.ones(len(point), dtype=torch.bool, device=point.x.device)

    def signal(self, point: Point) -> Tensor:
        """Returns 1 [B]."""
        return torch.ones(len(point), device=point.x.device)

    def to_data(self, point: Point) -> Tensor:
        """Returns x as it is."""
        return point.x


def level_of_ladder(context: BuildContext, part: str) -> RecoveryLevel:
    """Returns the built level; raises CapabilityError where the run has none, or another of that name."""
    level = context.coordinate(LEVEL)
    if not isinstance(level, RecoveryLevel):
        raise CapabilityError(
            f"{part} needs the coordinate '{LEVEL}' of ebmkit-recovery, found {type(level).__name__}."
        )
    return level


def build_anchor(config: AnchorConfig, context: BuildContext) -> Anchor:
    """Builds the coordinate; raises CapabilityError where the run has no level before it."""
    return Anchor(level_of_ladder(context, ANCHOR))

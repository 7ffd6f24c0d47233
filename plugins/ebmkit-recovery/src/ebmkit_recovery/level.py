"""The level of a ladder as a coordinate: data are noised to a step of it, and samples come down it."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ebmkit import Batch, BuildContext, Point
from ebmkit.ops.rows import normal, rows_as
from ebmkit.ops.value_range import from_symmetric, to_symmetric
from ebmkit_recovery.declarations import LEVEL, RecoveryLevelConfig
from ebmkit_recovery.ladder import Ladder


class RecoveryLevel:
    """Level t = 1 … T holds y = a_t x_{t−1}, which is to be recovered from x_t = y + σ_t ε; level 0 holds data, x_0.

    y and not x_{t−1}, so that x_t is y with noise and nothing else. Data with a value range are scaled to [−1, 1].

    Attributes:
        ladder: as numbers.
        scales: a_t [T + 1].
        sds: σ_t [T + 1], data units.
        kept: √ᾱ_t [T + 1].
        n_values: T + 1.
        smooth: s.d. of the noise of x_0, as chains hold it.
        noises_x: lifting noises x, so that x has no bounds.
        leaves_data: levels above 0 are away from data.

    Source: Gao et al. (2021), eq. 13 to 16.
    """

    name = LEVEL
    noises_x = True
    leaves_data = True

    def __init__(
        self, ladder: Ladder, *, value_range: tuple[float, float] | None, device: torch.device | str = "cpu"
    ) -> None:
        self.ladder, self.value_range = ladder, value_range
        tables = (ladder.scales, ladder.sds, ladder.kept)
        self.scales, self.sds, self.kept = (torch.tensor(t, device=device, dtype=torch.float32) for t in tables)
        self.n_values, self.smooth = len(ladder.scales), ladder.smooth

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        """Returns the point with a uniform level from 1 to T in each row, and x = a_t x_{t−1}."""
        level = torch.randint(1, self.n_values, (len(point),), generator=rng, device=rng.device)
        clean = self.scaled(point.x)
        clean = clean + self.ladder.smooth * normal(clean, rng)
        before = self.kept[level - 1]
        noised = rows_as(before, clean).to(clean) * clean
        noised = noised + rows_as((1 - before**2).clamp(min=0).sqrt(), clean).to(clean) * normal(clean, rng)
        return point.replace(x=rows_as(self.scales[level], clean).to(clean) * noised).with_aux(**{LEVEL: level})

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        """Returns x ~ N(0, I), the law of x_T, to be the anchor; for generation at level T, for a buffer at any."""
        if purpose == "generation":
            level = torch.full((n,), self.n_values - 1, device=point.x.device)
        else:
            level = torch.randint(1, self.n_values, (n,), generator=rng, device=rng.device)
        return point.replace(x=normal(point.x, rng)).with_aux(**{LEVEL: level})

    def descend(self, point: Point) -> Point:
        """Returns chains one step further down: x_{t−1} = y/a_t is what the next step recovers from, or a sample."""
        level = point.aux[LEVEL]
        below = (level - 1).clamp(min=0)
        before = point.x / rows_as(self.scales[level], point.x).to(point.x)
        return point.replace(x=before).with_aux(**{LEVEL: below})

    def clean(self, point: Point) -> Point:
        """Returns the point at level 0."""
        return point.with_aux(**{LEVEL: torch.zeros(len(point), dtype=torch.int64, device=point.x.device)})

    def is_data(self, point: Point) -> Tensor:
        """Returns [B] bool: the rows at level 0."""
        return point.aux[LEVEL] == 0

    def signal(self, point: Point) -> Tensor:
        """Returns ᾱ_{t−1} [B]: how much of the datum x_{t−1} holds; 1 at level 0."""
        return self.kept[(point.aux[LEVEL] - 1).clamp(min=0)] ** 2

    def scaled(self, x: Tensor) -> Tensor:
        """Returns data x as chains hold them: scaled from their value range to [−1, 1], or as they are without one."""
        return to_symmetric(x, self.value_range)

    def from_data(self, point: Point) -> Point:
        """Returns the point with x as chains hold it."""
        return point.replace(x=self.scaled(point.x))

    def to_data(self, point: Point) -> Tensor:
        """Returns x in the value range of the data; that of noisy rows may lie outside."""
        return from_symmetric(point.x, self.value_range)


def build_level(config: RecoveryLevelConfig, context: BuildContext) -> RecoveryLevel:
    """Builds the coordinate."""
    return RecoveryLevel(config.ladder(), value_range=context.value_range, device=context.device)

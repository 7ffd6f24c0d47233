"""The noise level as a coordinate of the chain: data are diffused, and a chain holds how far."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ebmkit import Batch, BuildContext, CapabilityError, Point
from ebmkit.ops.rows import rows_as
from ebmkit.ops.value_range import from_symmetric, to_symmetric
from ebmkit_diffusion.level_declarations import LevelConfig
from ebmkit_diffusion.schedules import signals, wrong_with

LEVEL = "level"
"""Name of the coordinate, and its key in `Point.aux`: int64 [B], 0 for clean data."""


def diffuse(x: Tensor, scale: Tensor, spread: Tensor, noise: Tensor) -> Tensor:
    """Returns √ᾱ x + √(1 − ᾱ) ε: a draw of the marginal at a level, not a step of a Markov chain.

    Args:
        x: clean data [B, *event], data units (images: scaled to [−1, 1]).
        scale: √ᾱ [B] in [0, 1].
        spread: √(1 − ᾱ) [B]; not computed from ᾱ here, which is 1 − 4e-8 at the first published level.
        noise: ε [B, *event], standard normal.
    """
    return rows_as(scale, x).to(x) * x + rows_as(spread, x).to(x) * noise


class Level:
    """p(x, t) on levels t = 0 … T: t uniform for data, x_t ~ N(√ᾱ_t x_0, (1 − ᾱ_t) I), t = 0 clean.

    Data with a value range are scaled to [−1, 1]; `to_data` scales back. With `smooth`, x_0 is the datum plus noise.

    Attributes:
        betas: β_t [T + 1], β_0 = 0.
        signals: ᾱ_t [T + 1].
        scales: √ᾱ_t [T + 1].
        spreads: √(1 − ᾱ_t) [T + 1], data units: s.d. of the noise.
        n_values: T + 1.
        smooth: s.d. of the noise of x_0, as chains hold it.
        noises_x: lifting noises x, so that x has no bounds.
        leaves_data: levels above 0 are away from data.

    Source: Zhang, Tan, Ou, Persistently trained, diffusion-assisted energy-based models, Stat 2023.
    """

    name = LEVEL
    noises_x = True
    leaves_data = True

    def __init__(
        self,
        betas: Sequence[float],
        *,
        value_range: tuple[float, float] | None = None,
        smooth: float = 0.0,
        start: tuple[float, float] = (0.0, 1.0),
        stratified: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        wrong = wrong_with(betas)
        if wrong:
            raise CapabilityError(f"Coordinate 'level': {wrong}.")
        self.betas = tuple(betas)
        kept = torch.tensor(signals(betas), dtype=torch.float64, device=device)
        self.signals, self.scales, self.spreads = kept.float(), kept.sqrt().float(), (1 - kept).sqrt().float()
        self.n_values = len(betas)
        self.value_range = value_range
        self.smooth, self.start_mean, self.stratified = smooth, start[0] * self.scales, stratified
        self.sds = (kept * smooth**2 + 1 - kept).sqrt().float()
        self.start_sd = (kept * start[1] ** 2 + 1 - kept).sqrt().float()

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        """Returns the point with a uniform level in each row, and x diffused to it."""
        level = self._drawn(len(point), rng)
        x = self.scaled(point.x)
        if self.smooth:
            x = x + self.smooth * torch.randn(x.shape, generator=rng, device=rng.device, dtype=x.dtype)
        noise = torch.randn(x.shape, generator=rng, device=rng.device, dtype=x.dtype)
        return point.replace(x=diffuse(x, self.scales[level], self.spreads[level], noise)).with_aux(level=level)

    def _drawn(self, n: int, rng: Generator) -> Tensor:
        """Returns n uniform levels: independent, or spread evenly over the rows in random order."""
        if not self.stratified:
            return torch.randint(self.n_values, (n,), generator=rng, device=rng.device)
        first = torch.rand(1, generator=rng, device=rng.device, dtype=torch.float64)
        spread = ((torch.randperm(n, generator=rng, device=rng.device) + first) * (self.n_values / n)).long()
        return spread.clamp(max=self.n_values - 1)

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        """Returns x ~ N(√ᾱ m, (ᾱ s² + 1 − ᾱ) I) of the start, N(0, I) unless asked otherwise.

        For generation at the last level; for a buffer with levels spread evenly over its rows.
        """
        x = torch.randn(point.x.shape, generator=rng, device=point.x.device, dtype=point.x.dtype)
        if purpose == "generation":
            level = torch.full((n,), self.n_values - 1, device=x.device)
        else:
            first = torch.randint(self.n_values, (1,), generator=rng, device=x.device)
            level = (torch.arange(n, device=x.device) + first) % self.n_values
        x = rows_as(self.start_mean[level], x).to(x) + rows_as(self.start_sd[level], x).to(x) * x
        return point.replace(x=x).with_aux(level=level)

    def clean(self, point: Point) -> Point:
        """Returns the point at level 0."""
        return point.with_aux(level=torch.zeros(point.x.shape[0], dtype=torch.int64, device=point.x.device))

    def is_data(self, point: Point) -> Tensor:
        """Returns [B] bool: the rows at level 0."""
        return point.aux[LEVEL] == 0

    def signal(self, point: Point) -> Tensor:
        """Returns ᾱ [B] of each row's level."""
        return self.signals[point.aux[LEVEL]]

    def noise(self, point: Point) -> tuple[Tensor, Tensor]:
        """Returns √ᾱ and the s.d. of all noise [B] at each row's level: that of `smooth` and of the level together."""
        return self.scales[point.aux[LEVEL]], self.sds[point.aux[LEVEL]]

    def scaled(self, x: Tensor) -> Tensor:
        """Returns data x as chains hold them: scaled from their value range to [−1, 1], or as they are without one."""
        return to_symmetric(x, self.value_range)

    def from_data(self, point: Point) -> Point:
        """Returns the point with x as chains hold it."""
        return point.replace(x=self.scaled(point.x))

    def to_data(self, point: Point) -> Tensor:
        """Returns x in the value range of the data; that of noisy rows may lie outside."""
        return from_symmetric(point.x, self.value_range)


def build_level(config: LevelConfig, context: BuildContext) -> Level:
    """Builds the coordinate; raises CapabilityError where its schedule is not monotone."""
    settled = config.settled(context.selection())
    return Level(
        settled.betas(),
        value_range=context.value_range,
        smooth=config.smooth,
        start=(config.start_mean, config.start_sd),
        stratified=config.stratified,
        device=context.device,
    )

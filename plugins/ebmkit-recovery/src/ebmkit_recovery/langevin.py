"""Unadjusted Langevin moves whose steps go with the noise of the level."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ebmkit import BuildContext, CapabilityError, EnergyView, Point, SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.ops.rows import normal, rows_as
from ebmkit.samplers.reflection import clamped
from ebmkit_recovery.anchor import level_of_ladder
from ebmkit_recovery.declarations import LEVEL, TRAITS, RecoveryLangevinConfig
from ebmkit_recovery.ladder import Ladder

FIRST_NOISE = 0.01
"""s.d. of the noise of x_0 that published steps are in proportion to, data units."""


def step_sizes(ladder: Ladder, step_size: float) -> list[float]:
    """Returns b_t for t = 0 … T, data units: b_t² = step_size²·σ_t²·s_{t−1}/.01; level 0, where no chain is, as 1.

    Source: Gao et al. (2021), section 4: b_t² = (s̄_t/s̄_0)·2e-4·σ²_{t+1}, levels from 0.
    """
    totals = [max(total, FIRST_NOISE) for total in ladder.totals]
    steps = [step_size * sd * (total / FIRST_NOISE) ** 0.5 for sd, total in zip(ladder.sds[1:], totals, strict=False)]
    return [steps[0], *steps]


class RecoveryLangevin:
    """K Langevin moves per transition, at the temperature of the run as the steps shorten."""

    traits = TRAITS

    def __init__(self, config: RecoveryLangevinConfig, steps: Tensor | None, context: BuildContext) -> None:
        self.config, self.steps, self.temperature = config, steps, context.temperature
        self.range = None if context.x_is_noised else context.value_range

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point."""
        if not point.x.is_floating_point():
            raise CapabilityError(f"recovery-langevin moves real-valued x, but x is {point.x.dtype}.")
        return SamplerState(point=point, rng=rng, tuning=tuning or {})

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after K moves. Nothing of the input changes except `state.rng`, which advances."""
        if tail is not None:
            raise CapabilityError("recovery-langevin keeps no graph of its moves: use sgld or mala.")
        point, moves = state.point, self.config.moves
        step = self._steps(point)
        for _ in range(moves):
            gradient = view.gradient(point) / self.temperature
            x = point.x - step**2 / 2 * gradient + step * normal(point.x, state.rng)
            point = point.replace(x=x if self.range is None else clamped(x, *self.range))
        accepted = torch.ones(len(point), device=point.x.device)
        info = SamplerInfo(start=state.point, accept_rate=accepted, n_moves=moves, n_gradients=moves)
        return SamplerState(point=point, rng=state.rng, tuning=state.tuning), info

    def _steps(self, point: Point) -> Tensor:
        """Returns b of each chain, broadcast against x."""
        if self.steps is None:
            return torch.full_like(point.x, self.config.step_size)
        return rows_as(self.steps[point.aux[LEVEL]], point.x).to(point.x)


def build_langevin(config: RecoveryLangevinConfig, context: BuildContext) -> RecoveryLangevin:
    """Builds the sampler; where there is no ladder, with one step size."""
    if all(coordinate.name != LEVEL for coordinate in context.coordinates):
        return RecoveryLangevin(config, None, context)
    ladder = level_of_ladder(context, "recovery-langevin").ladder
    return RecoveryLangevin(config, torch.tensor(step_sizes(ladder, config.step_size)).to(context.device), context)

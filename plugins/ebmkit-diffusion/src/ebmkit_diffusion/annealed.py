"""Chains that come down the levels from noise to data, again and again: the walk of generation, as a sampler."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ebmkit import BuildContext, CapabilityError, EnergyView, Point, SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.ops.ancestral import ancestral
from ebmkit.ops.rows import normal, rows_as
from ebmkit.samplers.metropolis import Target, build_target, carry
from ebmkit.samplers.sequence import Sequence
from ebmkit_diffusion.declarations import DESCENT, AnnealedConfig
from ebmkit_diffusion.level import LEVEL, Level
from ebmkit_diffusion.mgms import moves_at_a_level


class Descent:
    """Every chain one level down by an ancestral step; one at level 0 starts again as noise at the last level.

    With a probability of its own each chain lingers where it is instead. The step leaves no law invariant: a chain is
    at a level with the law of those that were annealed down to it.
    """

    traits = DESCENT

    def __init__(self, level: Level, target: Target, linger: float = 0.0) -> None:
        self.level, self.target, self.linger = level, target, linger

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point."""
        return SamplerState(point=point, rng=rng, tuning=tuning or {})

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state one level down, at one gradient.

        A tail has the graph of this step alone, whatever its number of moves: the moves before it are held constant. A
        chain that lingers, or starts again, has none.
        """
        point = state.point.map(torch.detach)
        now = point.aux[LEVEL]
        at_data = now == 0
        below = point.with_aux(**{LEVEL: (now - 1).clamp(min=0)})
        noise = normal(point.x, state.rng)
        after = self._below(point, below, self.target.gradient(view, point), noise)
        if tail is not None:
            first, its_below = (each.map(lambda tensor: tensor[: tail.rows]) for each in (point, below))
            first = first.replace(x=first.x.requires_grad_())
            replay = self._below(first, its_below, self.target.live_gradient(view, first), noise[: tail.rows])
            after = torch.cat([carry(after[: tail.rows], replay), after[len(replay) :]])
        fresh = self._noise(view, point, state.rng)
        goes = torch.rand(len(point), generator=state.rng, device=now.device) >= self.linger
        x = torch.where(rows_as(at_data, after), fresh.x, after).where(rows_as(goes, after), point.x)
        level = torch.where(at_data, fresh.aux[LEVEL], below.aux[LEVEL]).where(goes, now)
        every = torch.ones(len(point), device=now.device)
        info = SamplerInfo(start=state.point, accept_rate=every, n_moves=1, n_gradients=1)
        moved = point.replace(x=x).with_aux(**{LEVEL: level})
        return SamplerState(point=moved, rng=state.rng, tuning=state.tuning), info

    def _below(self, point: Point, below: Point, gradient: Tensor, noise: Tensor) -> Tensor:
        """Returns x [B, *event] after the step; `below` has the levels that it leads to."""
        return ancestral(point.x, -gradient, self.level.noise(point), self.level.noise(below), noise)

    def _noise(self, view: EnergyView, point: Point, rng: Generator) -> Point:
        """Returns as many chains at the last level: draws of its law where the energy knows it."""
        fresh = self.level.prior(len(point), point, rng, "generation")
        drawn = getattr(view.live, "drawn", None)
        x = drawn(fresh, rng) if drawn else None
        return fresh if x is None else fresh.replace(x=x)


def build_annealed(config: AnnealedConfig, context: BuildContext) -> Sequence:
    """Builds the sampler; raises CapabilityError where the run has not the coordinate 'level' of this package."""
    level = context.coordinate(LEVEL)
    if not isinstance(level, Level):
        raise CapabilityError(
            f"annealed walks along the coordinate 'level' of ebmkit-diffusion, found {type(level).__name__}: use mgms."
        )
    return Sequence([moves_at_a_level(config, context), Descent(level, build_target(context), config.linger)])

"""Unadjusted Langevin moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf, sqrt

import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.ops.gradients import gradient_with_graph
from ebmkit.ops.rows import normal
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import CapturingView, EnergyView
from ebmkit.protocols.sampler import SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.samplers.declarations.langevin import SGLD, SgldConfig
from ebmkit.samplers.metropolis import build_bounds
from ebmkit.samplers.reflection import Walls, clamped
from ebmkit.samplers.step_size import build_scale


def langevin_move(
    x: Tensor, gradient: Tensor, noise: Tensor, step_size: float, noise_scale: float, scale: Tensor | None = None
) -> Tensor:
    """Returns x − η∇E(x) + σξ, a move at temperature σ²/2η (Welling, Teh, 2011, eq. 4 with a fixed step).

    With a scale s it is x − ηs²∇E(x) + σsξ: the same move of x/s, at the same temperature.

    Args:
        x: [B, *event], data units.
        gradient: ∇E(x) [B, *event], nats per data unit.
        noise: ξ [B, *event], standard normal.
        step_size: η, data units² per nat.
        noise_scale: σ, data units.
        scale: s [*event], of each entry of x; None where all are 1.
    """
    if scale is not None:
        gradient, noise = scale**2 * gradient, scale * noise
    return x.add(gradient, alpha=-step_size).add(noise, alpha=noise_scale)


class Sgld:
    """K Langevin moves per transition, between walls where the data have a range.

    At σ²/2η far below 1 nat this is nearly noiseless descent: with the usual η = 100, σ = .001 the temperature is 5e-9.
    """

    traits = SGLD

    def __init__(self, config: SgldConfig, walls: Walls | None, scale: Tensor | None = None) -> None:
        if config.step_size is None or config.noise is None:
            raise CapabilityError("sgld needs a step_size and a noise: give both, or a temperature.")
        self.config = config
        self.walls, self.scale = walls, scale
        self.step_size, self.noise = config.step_size, config.noise

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point.

        Raises:
            CapabilityError: x is not real-valued.
            RecipeError: the step size is not positive and finite.
        """
        if not 0 < self.step_size < inf:
            raise RecipeError(f"Step sizes must be positive and finite, found {self.step_size}.")
        if not point.x.is_floating_point():
            raise CapabilityError(f"sgld moves real-valued x, but x is {point.x.dtype}: use a discrete sampler.")
        return SamplerState(point=point, rng=rng, tuning=tuning or {})

    def slower(self, divisor: float) -> Sgld:
        """Returns the sampler with η divided, and σ by the root: T = σ²/2η stays."""
        config = replace(self.config, step_size=self.step_size / divisor, noise=self.noise / sqrt(divisor))
        return Sgld(config, self.walls, self.scale)

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after K moves; see `Sampler.step`."""
        moves = self.config.moves
        n_kept = 0 if tail is None else min(tail.moves, moves)
        point = self._free_moves(view, state.point, moves - n_kept, state.rng)
        for _ in range(n_kept):
            point, gradient = gradient_with_graph(view, point, tail.rows if tail else None)
            point = self._moved(point, gradient, normal(point.x, state.rng))
        info = SamplerInfo(
            start=state.point,
            accept_rate=torch.ones(len(point), device=point.x.device),
            n_moves=moves,
            n_gradients=moves,
        )
        return SamplerState(point=point, rng=state.rng, tuning=state.tuning), info

    def _free_moves(self, view: EnergyView, point: Point, n: int, rng: Generator) -> Point:
        """Makes the moves whose graph is not kept; a view that captures gets them whole, with the same noise."""
        if n and isinstance(view, CapturingView) and view.captures:
            noise = torch.stack([normal(point.x, rng) for _ in range(n)])
            key = ("sgld", self.step_size, self.noise, self.config.clip, self.config.scale, self.walls)
            return point.replace(x=view.moves(key, self._loop, point, noise))
        for _ in range(n):
            point = self._moved(point, view.gradient(point), normal(point.x, rng))
        return point

    def _loop(self, gradient: Callable[[Point], Tensor], point: Point, noise: Tensor) -> Tensor:
        """Returns x after len(noise) moves: a function of its arguments alone, as a captured graph wants it."""
        for draw in noise:
            point = self._moved(point, gradient(point), draw)
        return point.x

    def _moved(self, point: Point, gradient: Tensor, noise: Tensor) -> Point:
        scale = None if self.scale is None else self.scale.to(point.x)
        x = langevin_move(point.x, self._clipped(gradient), noise, self.step_size, self.noise, scale)
        return point.replace(x=self._bounded(x))

    def _clipped(self, gradient: Tensor) -> Tensor:
        return clamped(gradient, -self.config.clip, self.config.clip) if self.config.clip else gradient

    def _bounded(self, x: Tensor) -> Tensor:
        return x if self.walls is None else self.walls.kept(x)


def build_sgld(config: SgldConfig, context: BuildContext) -> Sgld:
    """Builds the sampler; outside a run, unset values follow the context's temperature."""
    settled = config.settled(context.selection())
    temperature = settled.implied_temperature or 0.0  # its own: outside a run it may be far from the context's
    walls = build_bounds(settled.bounds, temperature, context, "sgld")
    return Sgld(settled, walls, build_scale(config.scale, context))

"""Unadjusted Langevin moves with momentum."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from ebmkit.ops.rows import normal
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.samplers.declarations.langevin import UNDERDAMPED, UnderdampedConfig
from ebmkit.samplers.metropolis import Target, build_bounds, carry
from ebmkit.samplers.reflection import Bounds, Walls, bounced, mirrored, turned_inwards
from ebmkit.samplers.step_size import StepSize, build_scale, step_sizes


class Move(NamedTuple):
    """What a move needs beside the chains.

    Attributes:
        noise: ξ [B, *event], standard normal.
        step_size: h, data units, broadcast against x.
        memory: c = exp(−γh) in [0, 1].
    """

    noise: Tensor
    step_size: Tensor
    memory: Tensor


def baoab_move(
    x: Tensor, momentum: Tensor, gradient: Tensor, move: Move, mirrors: Bounds = None
) -> tuple[Tensor, Tensor]:
    """Returns x after one move and the momentum before its last half kick: close with p − (h/2)∇E(x)/T.

    B  p ← p − (h/2)∇E/T;  A  x ← x + (h/2)p;  O  p ← cp + √(1 − c²)ξ;  A  x ← x + (h/2)p;  the last B is the caller's,
    who keeps the gradient at the new x for the next move. Invariant up to O(h²) in averages over x. Between mirrors
    each A is a flight that bounces, p turned, and the order stays.

    Args:
        x: [B, *event], data units.
        momentum: p [B, *event], standard normal at equilibrium.
        gradient: ∇E/T at x [B, *event], per data unit.
        move: noise, step size and memory.
        mirrors: (lowest, highest) value of x; None for none.

    Source: Leimkuhler, Matthews (2013), method BAOAB; at mirrors Neal (2011), section 5.5.1.5.
    """
    noise, step_size, memory = move
    momentum = momentum - step_size / 2 * gradient
    x, sign = mirrored(x + step_size / 2 * momentum, mirrors)
    momentum = memory * bounced(momentum, sign) + (1 - memory**2).sqrt() * noise
    x, sign = mirrored(x + step_size / 2 * momentum, mirrors)
    return x, bounced(momentum, sign)


class Underdamped:
    """K BAOAB moves per transition, at K + 1 gradients; the momentum is an entry of the point and follows its row.

    The bias of averages over x is of second order in the step, between mirrors too.
    """

    traits = UNDERDAMPED

    def __init__(
        self, *, config: UnderdampedConfig, target: Target, walls: Walls | None = None, scale: Tensor | None = None
    ) -> None:
        self.config, self.target, self.walls = config, target, walls
        self.steps = StepSize(first=config.step_size, scale=scale)
        self.bounds = None if walls is None else walls.bounds

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point, with a momentum drawn where it has none."""
        sized = self.steps.init(point, tuning)
        return SamplerState(point=_with_momentum(point, rng), rng=rng, tuning=sized)

    def slower(self, divisor: float) -> Underdamped:
        """Returns the sampler with h divided; the temperature does not depend on it."""
        config = replace(self.config, step_size=self.config.step_size / divisor)
        return Underdamped(config=config, target=self.target, walls=self.walls, scale=self.steps.scale)

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after K moves; see `Sampler.step`."""
        point = _with_momentum(state.point, state.rng).map(torch.detach)
        step_size = self.steps.of(state.tuning, point)
        memory = torch.exp(-self.config.friction * step_sizes(state.tuning, point))
        moves, (kept, rows) = self.config.moves, _kept(tail, self.config.moves)
        gradient = self.target.gradient(view, point)
        live: tuple[Tensor, Tensor] | None = None
        for i in range(moves):
            move = Move(normal(point.x, state.rng), step_size, memory)
            if i >= moves - kept:
                start = point.map(lambda tensor: tensor[:rows])
                live = self._replay(view, start, live, move._replace(noise=move.noise[:rows]))
            x, momentum = self._moved(point.x, point.aux["momentum"], gradient, move)
            gradient = self.target.gradient(view, point.replace(x=x))
            point = point.replace(x=x).with_aux(momentum=momentum - step_size / 2 * gradient)
            live = None if live is None else (carry(x[:rows], live[0]), live[1])
        info = SamplerInfo(
            start=state.point,
            accept_rate=torch.ones(len(point), device=point.x.device),
            n_moves=moves,
            n_gradients=1 + moves,
        )
        if live is not None:
            point = point.replace(x=torch.cat([live[0], point.x[len(live[0]) :]]))
        return SamplerState(point=point, rng=state.rng, tuning=state.tuning), info

    def _moved(self, x: Tensor, momentum: Tensor, gradient: Tensor, move: Move) -> tuple[Tensor, Tensor]:
        if self.walls is None or self.walls.mirror:
            return baoab_move(x, momentum, gradient, move, self.bounds)
        return turned_inwards(*baoab_move(x, momentum, gradient, move), self.walls.bounds)

    def _replay(
        self, view: EnergyView, start: Point, live: tuple[Tensor, Tensor] | None, move: Move
    ) -> tuple[Tensor, Tensor]:
        """Returns x after one more move with its graph, and the momentum before a closing half kick, due next."""
        x, momentum = (start.x.requires_grad_(), start.aux["momentum"]) if live is None else live
        gradient = self.target.live_gradient(view, start.replace(x=x))
        momentum = momentum if live is None else momentum - move.step_size / 2 * gradient
        return self._moved(x, momentum, gradient, move)


def _with_momentum(point: Point, rng: Generator) -> Point:
    return point if "momentum" in point.aux else point.with_aux(momentum=normal(point.x, rng))


def _kept(tail: Tail | None, moves: int) -> tuple[int, int | None]:
    return (0, None) if tail is None else (min(tail.moves, moves), tail.rows)


def build_underdamped(config: UnderdampedConfig, context: BuildContext) -> Underdamped:
    """Builds the sampler; raises CapabilityError for walls where x has no range."""
    return Underdamped(
        config=config,
        target=Target(temperature=context.temperature),
        walls=build_bounds(config.bounds, context.temperature, context, "underdamped"),
        scale=build_scale(config.scale, context),
    )

"""Unadjusted Langevin moves with momentum."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError
from ebmkit.ops.rows import normal
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.samplers.declarations.langevin import UnderdampedConfig
from ebmkit.samplers.metropolis import Target, build_scale, build_target, carry
from ebmkit.samplers.nonfinite import clamped
from ebmkit.samplers.step_size import initial_tuning, step_sizes


def baoab_move(
    x: Tensor, momentum: Tensor, gradient: Tensor, noise: Tensor, step_size: Tensor, memory: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns x after one move and the momentum before its last half kick: close with p − (h/2)∇E(x)/T.

    B  p ← p − (h/2)∇E/T;  A  x ← x + (h/2)p;  O  p ← cp + √(1 − c²)ξ;  A  x ← x + (h/2)p;  the last B is the caller's,
    who keeps the gradient at the new x for the next move. Invariant up to O(h²) in averages over x.

    Args:
        x: [B, *event], data units.
        momentum: p [B, *event], standard normal at equilibrium.
        gradient: ∇E/T at x [B, *event], per data unit.
        noise: ξ [B, *event], standard normal.
        step_size: h, data units, broadcast against x.
        memory: c = exp(−γh) in [0, 1].

    Source: Leimkuhler, Matthews (2013), method BAOAB.
    """
    momentum = momentum - step_size / 2 * gradient
    x = x + step_size / 2 * momentum
    momentum = memory * momentum + (1 - memory**2).sqrt() * noise
    return x + step_size / 2 * momentum, momentum


class Underdamped:
    """K BAOAB moves per transition, at K + 1 gradients; the momentum is an entry of the point and follows its row.

    The bias of averages over x is of second order in the step. Clamped rows leave the wall with their momentum turned.
    """

    moves_coordinates: frozenset[str] = frozenset({"momentum"})
    moves_x = True
    bias_order = 2

    def __init__(self, *, config: UnderdampedConfig, target: Target, scale: Tensor | None = None) -> None:
        self.config, self.target, self.scale = config, target, scale

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point, with a momentum drawn where it has none."""
        sized = initial_tuning(tuning, self.config.step_size, None, point)
        return SamplerState(point=_with_momentum(point, rng), rng=rng, tuning=sized)

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after K moves; see `Sampler.step`."""
        point = _with_momentum(state.point, state.rng).map(torch.detach)
        step_size = step_sizes(state.tuning, point, scale=self.scale)
        memory = torch.exp(-self.config.friction * step_sizes(state.tuning, point))
        moves, (kept, rows) = self.config.moves, _kept(tail, self.config.moves)
        gradient = self.target.gradient(view, point)
        live: tuple[Tensor, Tensor] | None = None
        for i in range(moves):
            noise = normal(point.x, state.rng)
            if i >= moves - kept:
                live = self._replay(view, point, live, noise, step_size, memory, rows)
            x, momentum = self._move(point.x, point.aux["momentum"], gradient, noise, step_size, memory)
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

    def _move(
        self, x: Tensor, momentum: Tensor, gradient: Tensor, noise: Tensor, step_size: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor]:
        x, momentum = baoab_move(x, momentum, gradient, noise, step_size, memory)
        return (x, momentum) if self.target.bounds is None else turned(x, momentum, self.target.bounds)

    def _replay(
        self, view: EnergyView, point: Point, live: tuple[Tensor, Tensor] | None, noise: Tensor, step_size: Tensor,
        memory: Tensor, rows: int | None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Returns x after one more move with its graph, and the momentum before a closing half kick, due next."""
        start = point.map(lambda tensor: tensor[:rows])
        x, momentum = (start.x.requires_grad_(), start.aux["momentum"]) if live is None else live
        gradient = self.target.live_gradient(view, start.replace(x=x))
        momentum = momentum if live is None else momentum - step_size / 2 * gradient
        return self._move(x, momentum, gradient, noise[:rows], step_size, memory)


def turned(x: Tensor, momentum: Tensor, bounds: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Returns x clamped into bounds (NaN if infinite), and the momentum pointing inwards wherever it was clamped."""
    low, high = bounds
    inwards = torch.where(x < low, momentum.abs(), torch.where(x > high, -momentum.abs(), momentum))
    return clamped(x, low, high), inwards


def _with_momentum(point: Point, rng: Generator) -> Point:
    return point if "momentum" in point.aux else point.with_aux(momentum=normal(point.x, rng))


def _kept(tail: Tail | None, moves: int) -> tuple[int, int | None]:
    return (0, None) if tail is None else (min(tail.moves, moves), tail.rows)


def build_underdamped(config: UnderdampedConfig, context: BuildContext) -> Underdamped:
    """Builds the sampler; raises CapabilityError for `clamp = "on"` where the data have no value range."""
    target = build_target(context)
    noised = context.x_is_noised
    if config.clamp == "on" and (noised or context.value_range is None):
        why = "a coordinate noises x" if noised else "the data have no value range"
        raise CapabilityError(f'underdamped: clamp = "on", but {why}.')
    bounds = {"auto": target.bounds, "on": context.value_range, "off": None}[config.clamp]
    return Underdamped(
        config=config,
        target=Target(temperature=target.temperature, bounds=bounds),
        scale=build_scale(config.scale, context),
    )

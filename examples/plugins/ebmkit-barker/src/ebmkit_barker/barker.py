"""The Barker proposal: lengths are drawn, and the gradient decides the direction of each entry."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import logsigmoid

from ebmkit import BuildContext, CapabilityError, EnergyView, SamplerInfo, SamplerState, Tail, Tuning
from ebmkit_barker.declarations import TRAITS, BarkerConfig


def barker_step(slope: Tensor, length: Tensor, uniform: Tensor) -> Tensor:
    """Returns w = ±z, + with probability 1/(1 + exp(−z c)), in each entry (Livingstone, Zanella, 2022, algorithm 1).

    Args:
        slope: c = ∇ log p(x) = −∇E(x)/T [B, *event], per data unit.
        length: z [B, *event], normal, data units.
        uniform: [B, *event] in [0, 1).
    """
    return torch.where(uniform < torch.sigmoid(length * slope), length, -length)


def folded(x: Tensor, bounds: tuple[float, float] | None) -> tuple[Tensor, Tensor]:
    """Returns x folded back into its range as by mirrors, and +1 or −1 [B, *event]: −1 where its way was turned."""
    if bounds is None:
        return x, torch.ones_like(x)
    low, width = bounds[0], bounds[1] - bounds[0]
    unfolded = (x - low).remainder(2 * width)
    turned = unfolded > width
    inside = low + torch.where(turned, 2 * width - unfolded, unfolded)
    return inside.clamp(*bounds), 1 - 2 * turned.to(x.dtype)


def log_accept_ratio(
    energies: tuple[Tensor, Tensor], slopes: tuple[Tensor, Tensor], step: Tensor, way: Tensor
) -> Tensor:
    """Returns log r [B] of a move from x to x': (E(x) − E(x'))/T + Σ log σ(w'c(x')) − log σ(w c(x)).

    The way back is w' = −w; where an entry met a mirror, it meets it again on its way back, and w' = w.

    Args:
        energies: E/T [B] at x and x', nats.
        slopes: c = −∇E/T [B, *event] at x and x'.
        step: w [B, *event], data units, before it is folded.
        way: +1, or −1 where a mirror turned it.
    """
    back = logsigmoid(-way * step * slopes[1]) - logsigmoid(step * slopes[0])
    return energies[0] - energies[1] + back.flatten(1).sum(1)


class BarkerSampler:
    """K Barker moves per transition; each chain accepts or rejects for itself."""

    traits = TRAITS

    def __init__(self, config: BarkerConfig, context: BuildContext) -> None:
        self.config, self.temperature = config, context.temperature
        self.bounds = None if context.x_is_noised else context.value_range

    def init(self, point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point."""
        return SamplerState(point=point, rng=rng, tuning=tuning or {})

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after K moves."""
        if tail is not None:
            raise CapabilityError("barker keeps no graph of its moves: use mala, hmc or sgld.")
        point, moves, rng = state.point, self.config.moves, state.rng
        energy, slope = self._asked(view, point)
        accepted = torch.zeros(len(point), device=point.x.device)
        for _ in range(moves):
            like = {"generator": rng, "device": point.x.device, "dtype": point.x.dtype}
            length = self.config.step_size * torch.randn(point.x.shape, **like)
            step = barker_step(slope, length, torch.rand(point.x.shape, **like))
            x, way = folded(point.x + step, self.bounds)
            new_energy, new_slope = self._asked(view, point.replace(x=x))
            log_r = log_accept_ratio((energy, new_energy), (slope, new_slope), step, way)
            uniform = torch.rand(len(point), generator=rng, device=point.x.device)
            taken = (uniform.log() < log_r) & new_energy.isfinite()  # NaN is never taken
            by_row = taken.view(-1, *[1] * (x.ndim - 1))
            point = point.replace(x=torch.where(by_row, x, point.x))
            energy, slope = torch.where(taken, new_energy, energy), torch.where(by_row, new_slope, slope)
            accepted = accepted + taken
        info = SamplerInfo(
            start=state.point, accept_rate=accepted / moves, n_moves=moves, n_gradients=moves + 1, n_proposals=moves
        )
        return SamplerState(point=point, rng=rng, tuning=state.tuning), info

    def _asked(self, view: EnergyView, point) -> tuple[Tensor, Tensor]:
        """Returns E/T [B] and −∇E/T [B, *event]."""
        energy, gradient = view.energy_and_gradient(point)
        return energy / self.temperature, -gradient / self.temperature


def build_barker(config: BarkerConfig, context: BuildContext) -> BarkerSampler:
    """Builds the sampler."""
    return BarkerSampler(config, context)

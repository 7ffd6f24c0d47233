"""Gibbs-with-gradients: exact moves of discrete x that ask the gradient which entry to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError
from ebmkit.ops.discrete import BITS, hold
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.samplers.declarations.gibbs import GWG, GibbsWithGradientsConfig
from ebmkit.samplers.gibbs import gibbs_draw
from ebmkit.samplers.metropolis import Evaluated, Target, build_target, choose, no_tail


class Values(Protocol):
    """The values that x may have, and its neighbours: what one change of one entry leads to."""

    def logits(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Returns log q of every neighbour [B, N] up to a constant: half of what −E/T gains, to first order."""
        ...

    def moved(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the neighbour of that index [B], and the index [B] that leads back from it."""
        ...

    def hold(self, x: Tensor) -> Tensor:
        """Returns a bool: x has such values and no others."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Binary:
    """Each entry has one of two values; neighbour i has entry i flipped.

    log q(i | x) = −½ ∂ᵢE(x)/T · (x'ᵢ − xᵢ), exact for energies that are linear in each entry by itself.

    Source: Grathwohl et al. (2021), eq. 3 and 6.
    """

    low: float = 0.0
    high: float = 1.0

    def logits(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Returns log q of every flip [B, D] up to a constant."""
        return (gradient * (x - self._flipped(x))).flatten(1) / 2

    def moved(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Returns x with entry `index` flipped; the same index leads back."""
        chosen = torch.arange(x[0].numel(), device=x.device) == index[:, None]
        return torch.where(chosen.view(x.shape), self._flipped(x), x), index

    def hold(self, x: Tensor) -> Tensor:
        """Returns a bool: every entry is one of the two values."""
        return hold(x, "binary", (self.low, self.high))

    def _flipped(self, x: Tensor) -> Tensor:
        return torch.full_like(x, self.low).masked_fill(x == self.low, self.high)


@dataclass(frozen=True, kw_only=True, slots=True)
class OneHot:
    """The last axis has a single 1; neighbour i·K + k has it at k in site i.

    log q(i, k | x) = −½ (∂ᵢₖE(x) − ⟨∂ᵢE(x), xᵢ⟩)/T; where xᵢ is at k already, the neighbour would be x itself: never.

    Source: Grathwohl et al. (2021), eq. 4 and 6.
    """

    def logits(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Returns log q of every change [B, D·K] up to a constant, −∞ where nothing would change."""
        gain = (gradient * x).sum(dim=-1, keepdim=True) - gradient
        return gain.masked_fill(x > 0.5, -torch.inf).flatten(1) / 2

    def moved(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Returns x with the 1 of a site moved, and the index that moves it back."""
        sites = x.reshape(len(x), -1, x.shape[-1])
        n_sites, n_values = sites.shape[1:]
        site, value = index // n_values, index % n_values
        chosen = (torch.arange(n_sites, device=x.device) == site[:, None])[:, :, None]
        hot = (torch.arange(n_values, device=x.device) == value[:, None])[:, None, :]
        before = (sites * chosen).sum(dim=1).argmax(dim=1)
        return torch.where(chosen, hot.to(x.dtype), sites).view(x.shape), site * n_values + before

    def hold(self, x: Tensor) -> Tensor:
        """Returns a bool: zeros and a single one along the last axis."""
        return hold(x, "one-hot")


def log_accept_ratio(energy: Tensor, energy_new: Tensor, log_there: Tensor, log_back: Tensor) -> Tensor:
    """Returns log r = E(x)/T − E(x')/T + log q(x | x') − log q(x' | x) [B].

    Source: Grathwohl et al. (2021), eq. 7.
    """
    return energy - energy_new + log_back - log_there


def log_chance(logits: Tensor, index: Tensor) -> Tensor:
    """Returns log softmax(logits) at one index in each row [B]."""
    return logits.log_softmax(dim=1).gather(1, index[:, None])[:, 0]


class GibbsWithGradients:
    """K moves per transition, each of one entry of x, accepted or rejected; K + 1 gradients.

    Exact for any deterministic g(x) in place of the gradient; ∇E/T makes good proposals. Where nothing is ever
    rejected, the number of changes is that of the moves: average over time, or take an odd and an even number in turn.
    """

    traits = GWG

    def __init__(self, *, config: GibbsWithGradientsConfig, target: Target, values: Values) -> None:
        self.config, self.target, self.values = config, target, values

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point. The host looks at x, once.

        Raises:
            CapabilityError: x has other values than these.
        """
        if not point.x.is_floating_point():
            raise CapabilityError(
                f"gibbs-with-gradients takes gradients in x, which is {point.x.dtype}: hold its values as floats."
            )
        if not bool(self.values.hold(point.x)):
            raise CapabilityError(
                f"gibbs-with-gradients moves discrete x, {self.values}, but x has other values. For real-valued x take "
                "mala, hmc or nuts; for other discrete values set values, or the data's range."
            )
        return SamplerState(point=point, rng=rng, tuning=tuning or {})

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after K moves; raises CapabilityError for a tail."""
        if tail is not None:
            raise no_tail("gibbs-with-gradients")
        chains = self.target.at(view, state.point.map(torch.detach))
        energy, moves = chains.energy, self.config.moves
        n_accepted = torch.zeros_like(energy)
        for _ in range(moves):
            uniform = torch.rand(2, len(energy), generator=state.rng, device=energy.device, dtype=energy.dtype)
            proposal, log_ratio = self.propose(view, chains, uniform[0])
            accepted = self.target.allows(proposal) & (torch.log1p(-uniform[1]) <= log_ratio)
            chains, n_accepted = choose(accepted, proposal, chains), n_accepted + accepted
        info = SamplerInfo(
            start=state.point,
            accept_rate=n_accepted / moves,
            n_moves=moves,
            n_gradients=1 + moves,
            n_proposals=moves,
        )
        point = state.point.replace(x=chains.point.x)
        return SamplerState(point=point, rng=state.rng, tuning=state.tuning), info

    def propose(self, view: EnergyView, chains: Evaluated, uniform: Tensor) -> tuple[Evaluated, Tensor]:
        """Returns a neighbour of every chain and its log acceptance ratio [B]."""
        x = chains.point.x
        logits = self.values.logits(x, chains.gradient)
        index, _ = gibbs_draw(-logits, uniform, 1.0)
        x_new, back = self.values.moved(x, index)
        new = self.target.at(view, chains.point.replace(x=x_new))
        log_back = log_chance(self.values.logits(x_new, new.gradient), back)
        return new, log_accept_ratio(chains.energy, new.energy, log_chance(logits, index), log_back)


def build_gwg(config: GibbsWithGradientsConfig, context: BuildContext) -> GibbsWithGradients:
    """Builds the sampler; raises CapabilityError where the data say that x has other values than the config."""
    if config.values not in ("auto", context.x_values) and context.x_values != "real":
        raise CapabilityError(
            f'gibbs-with-gradients: values = "{config.values}", but x of these data is {context.x_values}: '
            "leave it out."
        )
    low, high = context.value_range or BITS
    kind = context.x_values if config.values == "auto" else config.values
    values = OneHot() if kind == "one-hot" else Binary(low=low, high=high)
    return GibbsWithGradients(config=config, target=build_target(context), values=values)

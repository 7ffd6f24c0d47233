"""Published samplers written anew from their formulas, wrong ones and right ones, for `docs/audit.py`.

Langevin and Hamiltonian moves with a place for what was published: the log ratio of a proposal, who is decided by one
number, and what is left of the momentum after a rejection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from ebmkit import BuildContext, CapabilityError, Component, EnergyView, Point, SamplerInfo, SamplerState, SamplerTraits

Ratio = Callable[[Tensor, Tensor, Tensor, float], Tensor]
Decide = Callable[[Tensor, Generator], Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class LangevinConfig:
    """A Langevin proposal x − (s²/2)∇E + sξ.

    Attributes:
        step_size: s, data units; others write h = s²/2.
    """

    step_size: float = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class HamiltonianConfig:
    """Leapfrog steps from a momentum that is refreshed in part, p ← cp + √(1 − c²)ξ.

    Attributes:
        step_size: ε, data units.
        kept: c in [0, 1), the share of the momentum that a move keeps; 0 draws a new one.
        n_leapfrog: steps of a move.
    """

    step_size: float = 0.5
    kept: float = 0.9
    n_leapfrog: int = 3


def rows(values: Tensor) -> Tensor:
    """Returns the sum of each row [B]."""
    return values.flatten(1).sum(dim=1)


def across(row: Tensor, x: Tensor) -> Tensor:
    """Returns [B] in the shape in which it meets x."""
    return row.view(-1, *[1] * (x.ndim - 1))


def within(x: Tensor, bounds: tuple[float, float] | None) -> Tensor:
    """Returns [B] bool, whether x lies within its range."""
    low, high = bounds or (-torch.inf, torch.inf)
    return ((x >= low) & (x <= high)).flatten(1).all(dim=1)


# --- log q(x' → x) − log q(x → x') of x' = x − (s²/2)g + sξ


def right_ratio(g: Tensor, g_new: Tensor, xi: Tensor, s: float) -> Tensor:
    """½‖ξ‖² − ½‖−ξ + (s/2)(g + g')‖² (Roberts, Tweedie, 1996)."""
    return rows(xi.square() - (s / 2 * (g + g_new) - xi).square()) / 2


def half_square_ratio(g: Tensor, g_new: Tensor, xi: Tensor, s: float) -> Tensor:
    """s²/2 where s/2 belongs."""
    return rows(xi.square() - (s**2 / 2 * (g + g_new) - xi).square()) / 2


def two_h_square_ratio(g: Tensor, g_new: Tensor, xi: Tensor, s: float) -> Tensor:
    """A proposal of variance 2h, h = s²/2, with a log density that is divided by 2h² where 4h belongs."""
    h = s**2 / 2
    return rows((s * xi).square() - (h * (g + g_new) - s * xi).square()) / (2 * h**2)


# --- who is decided


def each_row(log_ratio: Tensor, rng: Generator) -> Tensor:
    """Returns [B] bool: one number for each chain."""
    return torch.rand(log_ratio.shape, generator=rng, dtype=log_ratio.dtype).log() <= log_ratio


def whole_batch(log_ratio: Tensor, rng: Generator) -> Tensor:
    """Returns [B] bool: one number decides on the sum of all log ratios, for all chains."""
    accepted = torch.rand((), generator=rng, dtype=log_ratio.dtype).log() <= log_ratio.sum()
    return accepted.expand(len(log_ratio))


class Langevin:
    """One Metropolis-adjusted Langevin move."""

    traits = SamplerTraits(adjusted=True)

    def __init__(
        self, config: LangevinConfig, context: BuildContext, ratio: Ratio = right_ratio, decide: Decide = each_row
    ) -> None:
        self.s, self.temperature, self.bounds = config.step_size, context.temperature, context.value_range
        self.ratio, self.decide = ratio, decide

    def init(self, point: Point, rng: Generator, tuning: Any = None) -> SamplerState:
        """Returns the state that starts at a point."""
        return SamplerState(point=point, rng=rng)

    def step(self, view: EnergyView, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after one move."""
        if tail is not None:
            raise CapabilityError("A tail was asked of a sampler that keeps none.")
        point, s = state.point, self.s
        energy, g = (value / self.temperature for value in view.energy_and_gradient(point))
        xi = torch.randn(point.x.shape, generator=state.rng, dtype=point.x.dtype)
        new = point.replace(x=point.x - s**2 / 2 * g + s * xi)
        energy_new, g_new = (value / self.temperature for value in view.energy_and_gradient(new))
        log_ratio = energy - energy_new + self.ratio(g, g_new, xi, s)
        allowed = within(new.x, self.bounds) & torch.isfinite(energy_new)
        accepted = self.decide(torch.where(allowed, log_ratio, -torch.inf), state.rng)
        x = torch.where(across(accepted, new.x), new.x, point.x)
        info = SamplerInfo(start=point, accept_rate=accepted.float(), n_moves=1, n_gradients=2, n_proposals=1)
        return SamplerState(point=point.replace(x=x), rng=state.rng), info


class Hamiltonian:
    """One Hamiltonian move; `left` says which momentum stays after a rejection, "negated", "old" or "forgotten"."""

    traits = SamplerTraits(moves={"x", "momentum"}, adjusted=True)

    def __init__(self, config: HamiltonianConfig, context: BuildContext, left: str = "negated") -> None:
        self.config, self.left = config, left
        self.temperature, self.bounds = context.temperature, context.value_range

    def init(self, point: Point, rng: Generator, tuning: Any = None) -> SamplerState:
        """Returns the state that starts at a point, with a momentum."""
        if "momentum" not in point.aux:
            point = point.with_aux(momentum=torch.randn(point.x.shape, generator=rng, dtype=point.x.dtype))
        return SamplerState(point=point, rng=rng)

    def step(self, view: EnergyView, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after one move."""
        if tail is not None:
            raise CapabilityError("A tail was asked of a sampler that keeps none.")
        point, rng, c = state.point, state.rng, self.config.kept
        old = point.aux["momentum"]
        p = c * old + (1 - c**2) ** 0.5 * torch.randn(old.shape, generator=rng, dtype=old.dtype)
        new, q, n_gradients = self._trajectory(view, point, p)
        gain = (view.energy(point) - view.energy(new)) / self.temperature
        log_ratio = gain + rows(p.square() - q.square()) / 2
        allowed = within(new.x, self.bounds) & torch.isfinite(log_ratio)
        accepted = each_row(torch.where(allowed, log_ratio, -torch.inf), rng)
        where = across(accepted, q)
        left = {"negated": -p, "forgotten": p, "old": old}[self.left]
        after = point.replace(x=torch.where(where, new.x, point.x)).with_aux(momentum=torch.where(where, q, left))
        info = SamplerInfo(start=point, accept_rate=accepted.float(), n_moves=1, n_gradients=n_gradients, n_proposals=1)
        return SamplerState(point=after, rng=rng), info

    def _trajectory(self, view: EnergyView, point: Point, p: Tensor) -> tuple[Point, Tensor, int]:
        step, n = self.config.step_size, self.config.n_leapfrog
        p = p - step / 2 * view.gradient(point) / self.temperature
        for i in range(n):
            point = point.replace(x=point.x + step * p)
            p = p - (step if i < n - 1 else step / 2) * view.gradient(point) / self.temperature
        return point, p, n + 1


build_right_mala, build_right_hmc = Langevin, Hamiltonian
build_half_square = partial(Langevin, ratio=half_square_ratio)
build_two_h_square = partial(Langevin, ratio=two_h_square_ratio)
build_one_decision = partial(Langevin, decide=whole_batch)
build_old_momentum, build_forgotten_flip = partial(Hamiltonian, left="old"), partial(Hamiltonian, left="forgotten")


def langevin(name: str) -> Component:
    """Returns a Langevin sampler of this file by name."""
    return _component(name, LangevinConfig, Langevin.traits)


def hamiltonian(name: str) -> Component:
    """Returns a Hamiltonian sampler of this file by name."""
    return _component(name, HamiltonianConfig, Hamiltonian.traits)


def _component(name: str, config: type, traits: SamplerTraits) -> Component:
    build = f"audit_samplers:build_{name.replace('-', '_')}"
    return Component(kind="sampler", name=name, config=config, build=build, summary="written anew", traits=traits)


RIGHT = (langevin("right-mala"), hamiltonian("right-hmc"))
"""The same moves without a fault."""

PUBLISHED = (
    langevin("half-square"), langevin("two-h-square"), langevin("one-decision"), hamiltonian("old-momentum"),
    hamiltonian("forgotten-flip"),
)  # fmt: skip
"""As published, and one fault that is often made beside them."""

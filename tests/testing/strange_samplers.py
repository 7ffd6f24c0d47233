"""Samplers of strangers: Langevin, Hamiltonian and discrete moves, with a place for what can be wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebmkit import BuildContext, CapabilityError, Point, SamplerTraits
from ebmkit.protocols.sampler import SamplerInfo, SamplerState

EXACT = SamplerTraits(adjusted=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    step_size: float = 0.5


def noise(x: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=rng, dtype=x.dtype)


def rows(values: Tensor) -> Tensor:
    return values.flatten(1).sum(dim=1)


def within(x: Tensor, bounds: tuple[float, float] | None) -> Tensor:
    low, high = bounds or (-torch.inf, torch.inf)
    return ((x >= low) & (x <= high)).flatten(1).all(dim=1)


def langevin_ratio(g: Tensor, g_new: Tensor, xi: Tensor, s: float) -> Tensor:
    pull = s / 2 * (g + g_new)
    return rows(pull * (xi - pull / 2))


def published_ratio(g: Tensor, g_new: Tensor, xi: Tensor, s: float) -> Tensor:
    """s²/2 where the ratio has s/2."""
    pull = s**2 / 2 * (g + g_new)
    return rows(pull * (xi - pull / 2))


def two_h_ratio(g: Tensor, g_new: Tensor, xi: Tensor, s: float) -> Tensor:
    """The proposal has variance 2h with h = s²/2, and its log density is divided by 2h²."""
    h = s**2 / 2
    forth = rows((s * xi).square()) / (2 * h**2)
    back = rows((h * (g + g_new) - s * xi).square()) / (2 * h**2)
    return forth - back


def no_ratio(g: Tensor, g_new: Tensor, xi: Tensor, s: float) -> Tensor:
    """Metropolis without Hastings."""
    return torch.zeros(len(g), dtype=g.dtype)


def each(log_r: Tensor, rng: torch.Generator) -> Tensor:
    return torch.log(torch.rand(log_r.shape, generator=rng, dtype=log_r.dtype)) <= log_r


def all_by_one_number(log_r: Tensor, rng: torch.Generator) -> Tensor:
    """One uniform number decides for the whole batch."""
    return torch.log(torch.rand((), generator=rng, dtype=log_r.dtype)) <= log_r


def two_by_two(log_r: Tensor, rng: torch.Generator) -> Tensor:
    """Neighbours share the number that decides for them: each chain is exact, and no two are independent."""
    half = torch.rand((len(log_r) + 1) // 2, generator=rng, dtype=log_r.dtype)
    return torch.log(half.repeat_interleave(2)[: len(log_r)]) <= log_r


def by_opposites(log_r: Tensor, rng: torch.Generator) -> Tensor:
    """The second half of the rows takes one minus the numbers of the first half."""
    half = torch.rand((len(log_r) + 1) // 2, generator=rng, dtype=log_r.dtype)
    return torch.log(torch.cat([half, 1 - half])[: len(log_r)]) <= log_r


def all_by_the_mean(log_r: Tensor, rng: torch.Generator) -> Tensor:
    """The mean of the ratios decides for the whole batch."""
    return (torch.log(torch.rand((), generator=rng)) <= log_r.mean()).expand(len(log_r))


def global_stream(log_r: Tensor, rng: torch.Generator) -> Tensor:
    return torch.log(torch.rand(log_r.shape, dtype=log_r.dtype)) <= log_r


class OwnMala:
    """A stranger's MALA; what is wrong with a double is handed in."""

    traits = EXACT

    def __init__(self, config: Step, context: BuildContext, **wrong: Any) -> None:
        self.s, self.temperature, self.bounds = config.step_size, context.temperature, context.value_range
        self.ratio: Callable[..., Tensor] = langevin_ratio
        self.decide: Callable[..., Tensor] = each
        self.walls = self.finite = True
        self.tail = ""
        self.dtype: torch.dtype | None = None
        self.memory: list[int] | None = None
        self.n_gradients, self.n_proposals = 2, 1
        self.look: Callable[[Tensor], object] = type
        self.__dict__.update(wrong)

    def init(self, point: Point, rng: torch.Generator, tuning: Any = None) -> SamplerState:
        return SamplerState(point=point, rng=rng)

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        if tail is not None and not self.tail:
            raise CapabilityError("A tail was asked of a sampler that keeps none.")
        point, s = state.point, self.s
        energy, g = (value / self.temperature for value in view.energy_and_gradient(point))
        xi = noise(point.x, state.rng)
        new = point.replace(x=point.x - s**2 / 2 * g + s * xi)
        inside = within(new.x, self.bounds if self.walls else None)
        energy_new, g_new = (value / self.temperature for value in view.energy_and_gradient(new))
        log_r = energy - energy_new + self.ratio(g, g_new, xi, s)
        accepted = self.decide(log_r, state.rng) & inside
        self.look(accepted)
        if self.finite:
            accepted = accepted & torch.isfinite(energy_new)
        x = torch.where(accepted.view(-1, *[1] * (point.x.ndim - 1)), new.x, point.x)
        if self.memory is not None:
            self.memory.append(1)
            x = x + 0.01 * len(self.memory)
        if tail is not None and self.tail in ("wrong", "every row"):
            graph = (view.live(point) - view.live(point).detach()).view(-1, *[1] * (x.ndim - 1))
            n_rows = len(x) if self.tail == "every row" else (tail.rows or len(x))
            x = torch.cat([x[:n_rows] + graph[:n_rows], x[n_rows:]])
        x = x if self.dtype is None else x.to(self.dtype)
        info = SamplerInfo(
            start=point, accept_rate=accepted.float(), n_moves=1, n_gradients=self.n_gradients,
            n_proposals=self.n_proposals,
        )  # fmt: skip
        return SamplerState(point=point.replace(x=x), rng=state.rng), info


class OwnGhmc:
    """Hamiltonian moves from a momentum that is refreshed in part (Horowitz, 1991)."""

    traits = SamplerTraits(moves={"x", "momentum"}, adjusted=True)
    bounds: Any

    def __init__(self, config: Step, context: BuildContext, *, left: str = "negated", memory: float = 0.9) -> None:
        self.s, self.temperature, self.bounds = config.step_size, context.temperature, context.value_range
        self.left, self.memory = left, memory

    def init(self, point: Point, rng: torch.Generator, tuning: Any = None) -> SamplerState:
        point = point if "momentum" in point.aux else point.with_aux(momentum=noise(point.x, rng))
        return SamplerState(point=point, rng=rng)

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        if tail is not None:
            raise CapabilityError("A tail was asked of a sampler that keeps none.")
        point, s, c = state.point, self.s, self.memory
        p = c * point.aux["momentum"] + (1 - c**2) ** 0.5 * noise(point.x, state.rng)
        q, new, x = p, point, point.x
        start = view.energy(point) / self.temperature
        for _ in range(3):
            q = q - s / 2 * view.gradient(new) / self.temperature
            x = x + s * q
            new = point.replace(x=x)
            q = q - s / 2 * view.gradient(new) / self.temperature
        end = view.energy(new) / self.temperature
        log_r = start - end + rows(p.square() - q.square()) / 2
        accepted = each(log_r, state.rng) & torch.isfinite(end) & torch.isfinite(q).flatten(1).all(dim=1)
        accepted = accepted & within(x, self.bounds)
        where = accepted.view(-1, *[1] * (x.ndim - 1))
        left = {"negated": -p, "forgotten": p, "old": point.aux["momentum"]}[self.left]
        after = point.replace(x=torch.where(where, x, point.x)).with_aux(momentum=torch.where(where, q, left))
        info = SamplerInfo(start=point, accept_rate=accepted.float(), n_moves=1, n_gradients=6, n_proposals=1)
        return SamplerState(point=after, rng=state.rng), info


class Coins:
    """Discrete moves: one entry is flipped, and accepted whatever the energy says."""

    traits = SamplerTraits(discrete=True, adjusted=True, asks_gradient=False)

    def __init__(self, config: Any, context: BuildContext) -> None:
        self.one_hot = context.x_values == "one-hot"

    def init(self, point: Point, rng: torch.Generator, tuning: Any = None) -> SamplerState:
        return SamplerState(point=point, rng=rng)

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        x = state.point.x
        heads = torch.rand(len(x), generator=state.rng) < 0.5
        turned = x.roll(1, dims=-1) if self.one_hot else 1 - x
        x = torch.where(heads.view(-1, *[1] * (x.ndim - 1)), turned, x)
        info = SamplerInfo(start=state.point, accept_rate=torch.ones(len(x)), n_moves=1, n_gradients=0)
        return SamplerState(point=state.point.replace(x=x), rng=state.rng), info


class Langevin:
    """Unadjusted moves: their law drifts away from that of the start, and nothing is wrong with it."""

    traits = SamplerTraits(bias_order=1)

    def __init__(self, config: Step, context: BuildContext, *, heat: float | None = None, n_proposals: int = 0) -> None:
        self.eta, self.bounds, self.n_proposals = config.step_size, context.value_range, n_proposals
        self.heat = context.temperature if heat is None else heat

    def init(self, point: Point, rng: torch.Generator, tuning: Any = None) -> SamplerState:
        return SamplerState(point=point, rng=rng)

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        if tail is not None:
            raise CapabilityError("A tail was asked of a sampler that keeps none.")
        x = state.point.x
        x = x - self.eta * view.gradient(state.point) + (2 * self.heat * self.eta) ** 0.5 * noise(x, state.rng)
        x = x if self.bounds is None else x.clamp(*self.bounds)
        info = SamplerInfo(
            start=state.point, accept_rate=torch.ones(len(x)), n_moves=1, n_gradients=1, n_proposals=self.n_proposals
        )
        return SamplerState(point=state.point.replace(x=x), rng=state.rng), info

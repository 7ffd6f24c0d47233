"""Samplers that break one promise each, and right ones beside them that break none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ebmkit import BuildContext, CapabilityError, Component, Point, SamplerTraits
from ebmkit.protocols.sampler import SamplerInfo, SamplerState
from ebmkit.testing.targets import LAWS

HERE = "tests.testing.doubles_of_samplers"
EXACT = SamplerTraits(adjusted=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    step_size: float = 0.5


def noise(x: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=rng, dtype=x.dtype)


def rows(values: Tensor) -> Tensor:
    return values.flatten(1).sum(dim=1)


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
        if self.walls and self.bounds is not None:
            inside = ((new.x >= self.bounds[0]) & (new.x <= self.bounds[1])).flatten(1).all(dim=1)
        else:
            inside = torch.ones(len(point), dtype=torch.bool)
        energy_new, g_new = (value / self.temperature for value in view.energy_and_gradient(new))
        log_r = energy - energy_new + self.ratio(g, g_new, xi, s)
        accepted = self.decide(log_r, state.rng) & inside
        if self.finite:
            accepted = accepted & torch.isfinite(energy_new)
        x = torch.where(accepted.view(-1, *[1] * (point.x.ndim - 1)), new.x, point.x)
        if self.memory is not None:
            self.memory.append(1)
            x = x + 0.01 * len(self.memory)
        if tail is not None and self.tail == "wrong":
            x = x + (view.live(point) - view.live(point).detach()).view(-1, *[1] * (x.ndim - 1))
        x = x if self.dtype is None else x.to(self.dtype)
        info = SamplerInfo(start=point, accept_rate=accepted.float(), n_moves=1, n_gradients=2, n_proposals=1)
        return SamplerState(point=point.replace(x=x), rng=state.rng), info


class OwnGhmc:
    """Hamiltonian moves from a momentum that is refreshed in part (Horowitz, 1991)."""

    traits = SamplerTraits(moves={"x", "momentum"}, adjusted=True)
    bounds: Any

    def __init__(self, config: Step, context: BuildContext, *, flips: bool = True, memory: float = 0.9) -> None:
        self.s, self.temperature, self.bounds = config.step_size, context.temperature, context.value_range
        self.flips, self.memory = flips, memory

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
        if self.bounds is not None:
            accepted = accepted & ((x >= self.bounds[0]) & (x <= self.bounds[1])).flatten(1).all(dim=1)
        where = accepted.view(-1, *[1] * (x.ndim - 1))
        left = -p if self.flips else p
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


class Hot:
    """Langevin moves with half of the noise that they need, and the order of right ones."""

    traits = SamplerTraits(bias_order=1)

    def __init__(self, config: Step, context: BuildContext) -> None:
        self.eta = config.step_size

    def init(self, point: Point, rng: torch.Generator, tuning: Any = None) -> SamplerState:
        return SamplerState(point=point, rng=rng)

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        x = state.point.x
        x = x - self.eta * view.gradient(state.point) + self.eta**0.5 * noise(x, state.rng)
        info = SamplerInfo(start=state.point, accept_rate=torch.ones(len(x)), n_moves=1, n_gradients=1)
        return SamplerState(point=state.point.replace(x=x), rng=state.rng), info


class Langevin(Hot):
    """Right unadjusted moves: their law drifts away from that of the start, and nothing is wrong with it."""

    def __init__(self, config: Step, context: BuildContext) -> None:
        super().__init__(config, context)
        self.bounds = context.value_range

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        if tail is not None:
            raise CapabilityError("A tail was asked of a sampler that keeps none.")
        x = state.point.x
        x = x - self.eta * view.gradient(state.point) + (2 * self.eta) ** 0.5 * noise(x, state.rng)
        x = x if self.bounds is None else x.clamp(*self.bounds)
        info = SamplerInfo(start=state.point, accept_rate=torch.ones(len(x)), n_moves=1, n_gradients=1)
        return SamplerState(point=state.point.replace(x=x), rng=state.rng), info


def build_traits(config: Step, context: BuildContext, *, traits: SamplerTraits, **wrong: Any) -> OwnMala:
    made = OwnMala(config, context, **wrong)
    made.traits = traits  # type: ignore[misc]
    return made


def build_cold(config: Step, context: BuildContext) -> OwnMala:
    return OwnMala(config, context, temperature=1.0)


KEEPS, LEVELS = SamplerTraits(adjusted=True, tail="keeps"), SamplerTraits(moves={"x", "momentum"}, adjusted=True)
build_right, build_ghmc = OwnMala, OwnGhmc
build_published, build_two_h = partial(OwnMala, ratio=published_ratio), partial(OwnMala, ratio=two_h_ratio)
build_no_ratio = partial(OwnMala, ratio=no_ratio)
build_one_number, build_by_the_mean = (
    partial(OwnMala, decide=all_by_one_number),
    partial(OwnMala, decide=all_by_the_mean),
)
build_global = partial(OwnMala, decide=global_stream)
build_no_walls, build_not_finite = partial(OwnMala, walls=False), partial(OwnMala, finite=False, ratio=langevin_ratio)
build_single, build_memory = partial(OwnMala, dtype=torch.float32), partial(OwnMala, memory=[])
build_wrong_tail = partial(build_traits, traits=KEEPS, tail="wrong")
build_deaf_tail = partial(OwnMala, tail="deaf")
build_still = partial(build_traits, traits=LEVELS)
build_no_flip, build_no_flip_needed = partial(OwnGhmc, flips=False), partial(OwnGhmc, flips=False, memory=0.0)
build_coins, build_hot, build_langevin = Coins, Hot, Langevin


def part(name: str, traits: SamplerTraits = EXACT, **more: Any) -> Component:
    build = f"{HERE}:build_{name.replace('-', '_')}"
    return Component(kind="sampler", name=name, config=Step, build=build, summary="a double", traits=traits, **more)


MOMENTUM = OwnGhmc.traits
RIGHT = (part("right"), part("ghmc", MOMENTUM), part("no-flip-needed", MOMENTUM), part("langevin", Langevin.traits))
"""Nothing is wrong with these."""

PUBLISHED = part("published")
WRONG: tuple[tuple[Component, str, str], ...] = (
    *((PUBLISHED, f"law-{law.name}", "standard errors off.*log q") for law in LAWS),
    (part("two-h"), "law-gaussian", "standard errors off.*variances"),
    (part("no-ratio"), "law-gaussian", "standard errors off"),
    (part("no-flip", MOMENTUM), "law-gaussian", "momentum when a proposal is rejected"),
    (part("coins", Coins.traits), "law-ising", "standard errors off"),
    (part("coins", Coins.traits), "law-potts", "standard errors off"),
    (part("cold"), "temperature", r"T = 3.*Divide energies and gradients by context.temperature"),
    (part("hot", Hot.traits), "bias-order", "bias_order = 1 is declared"),
    (part("one-number"), "rows", "share random numbers.*one accept decision each"),
    (part("by-the-mean"), "rows", "no sum or mean over the batch|one accept decision each"),
    (part("global"), "pure", "global random stream.*generator=state.rng"),
    (part("memory"), "pure", "made one transition twice"),
    (part("single"), "float64", "float32.*Keep the dtype"),
    (part("still", LEVELS), "moves", "'momentum' of 200 chains is what it was"),
    (part("no-walls"), "walls", r"value_range is \(0, 1\)"),
    (part("not-finite"), "finite", "a proposal whose energy is -?inf was accepted"),
    (part("wrong-tail", KEEPS), "tail", "finite differences of the path"),
    (part("deaf-tail"), "no-tail", "Raise CapabilityError"),
)  # fmt: skip
"""Double, the promise that it breaks, and what the message must say."""

"""Samplers of strangers that do more than move x: augmentations, replicas, a tuning."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ebmkit import BuildContext, CapabilityError, Point, SamplerTraits
from ebmkit.protocols.sampler import SamplerInfo, SamplerState
from tests.testing.strange_samplers import EXACT, OwnMala, Step, each, langevin_ratio, noise, within


class Brighten:
    """Each image times a factor of its own, within the range of the data; what is wrong is handed in."""

    traits = SamplerTraits(asks_gradient=False, tail="passes")

    def __init__(self, config: Any, context: BuildContext, *, one: bool = False, torn: bool = False) -> None:
        if len(context.event_shape) != 3 or context.value_range is None:
            raise CapabilityError("It brightens images in a value range.")
        self.bounds, self.one, self.torn = context.value_range, one, torn

    def init(self, point: Point, rng: torch.Generator, tuning: Any = None) -> SamplerState:
        return SamplerState(point=point, rng=rng)

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        x = state.point.x.detach() if self.torn else state.point.x
        factor = 0.5 + torch.rand(1 if self.one else len(x), 1, 1, 1, generator=state.rng, dtype=x.dtype)
        x = (x * factor).clamp(*self.bounds)
        info = SamplerInfo(start=state.point, accept_rate=torch.ones(len(x)), n_moves=0, n_gradients=0)
        return SamplerState(point=state.point.replace(x=x), rng=state.rng), info


class Replicated:
    """A chain and a replica at 4T, each moved by Langevin steps with a ratio, then perhaps exchanged."""

    traits = SamplerTraits(moves={"x", "replicas"}, adjusted=True)

    def __init__(self, config: Step, context: BuildContext, *, sign: float = 1.0) -> None:
        self.s, self.temperature, self.sign = config.step_size, context.temperature, sign
        self.ladder, self.bounds = torch.tensor([1.0, 4.0]), context.value_range

    def init(self, point: Point, rng: torch.Generator, tuning: Any = None) -> SamplerState:
        point = point if "replicas" in point.aux else point.with_aux(replicas=point.x[:, None])
        return SamplerState(point=point, rng=rng)

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        if tail is not None:
            raise CapabilityError("A tail was asked of a sampler that keeps none.")
        point, rng = state.point, state.rng
        cold, rate = self._moved(view, point, 1.0, rng)
        hot, _ = self._moved(view, point.replace(x=point.aux["replicas"][:, 0]), 4.0, rng)
        gain = (view.energy(cold) - view.energy(hot)) / self.temperature
        log_r = torch.where(torch.isfinite(gain), self.sign * (1 - 1 / 4) * gain, -torch.inf)
        swap = each(log_r, rng).view(-1, *[1] * (cold.x.ndim - 1))
        after = point.replace(x=torch.where(swap, hot.x, cold.x))
        after = after.with_aux(replicas=torch.where(swap, cold.x, hot.x)[:, None])
        info = SamplerInfo(start=point, accept_rate=rate, n_moves=1, n_gradients=4, n_proposals=1)
        return SamplerState(point=after, rng=rng), info

    def _moved(self, view: Any, point: Point, ratio: float, rng: torch.Generator) -> tuple[Point, Tensor]:
        heat, s = self.temperature * ratio, self.s
        energy, g = (value / heat for value in view.energy_and_gradient(point))
        xi = noise(point.x, rng)
        new = point.replace(x=point.x - s**2 / 2 * g + s * xi)
        energy_new, g_new = (value / heat for value in view.energy_and_gradient(new))
        accepted = each(energy - energy_new + langevin_ratio(g, g_new, xi, s), rng)
        where = (accepted & torch.isfinite(energy_new) & within(new.x, self.bounds)).view(-1, *[1] * (point.x.ndim - 1))
        return point.replace(x=torch.where(where, new.x, point.x)), accepted.float()


class Tuned:
    """Another sampler, with its step size in a tuning; what is wrong with how it keeps it is handed in."""

    traits = EXACT

    def __init__(self, config: Step, context: BuildContext, *, deaf: bool = False, learns: bool = False) -> None:
        self.inner, self.deaf, self.learns = OwnMala(config, context), deaf, learns
        self.first, self.bounds = torch.tensor(config.step_size), context.value_range

    def init(self, point: Point, rng: torch.Generator, tuning: Any = None) -> SamplerState:
        kept = tuning if tuning and not self.deaf else {"step_size": self.first}
        return SamplerState(point=point, rng=rng, tuning=kept)

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        self.inner.s = state.tuning["step_size"]
        after, info = self.inner.step(view, state, tail=tail)
        size = state.tuning["step_size"] * 1.1 if self.learns else state.tuning["step_size"]
        return SamplerState(point=after.point, rng=after.rng, tuning={"step_size": size}), info


class Cached:
    """A random walk that keeps the energies of the chains that it moved last, whoever comes next."""

    traits = SamplerTraits(adjusted=True, asks_gradient=False)

    def __init__(self, config: Step, context: BuildContext) -> None:
        self.s, self.temperature, self.bounds = config.step_size, context.temperature, context.value_range
        self.last: Tensor | None = None

    def init(self, point: Point, rng: torch.Generator, tuning: Any = None) -> SamplerState:
        return SamplerState(point=point, rng=rng)

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        point, last = state.point, self.last
        energy = view.energy(point) / self.temperature if last is None or len(last) != len(point) else last
        new = point.replace(x=point.x + self.s * noise(point.x, state.rng))
        energy_new = view.energy(new) / self.temperature
        accepted = each(energy - energy_new, state.rng) & torch.isfinite(energy_new) & within(new.x, self.bounds)
        self.last = torch.where(accepted, energy_new, energy)
        x = torch.where(accepted.view(-1, *[1] * (point.x.ndim - 1)), new.x, point.x)
        info = SamplerInfo(start=point, accept_rate=accepted.float(), n_moves=1, n_gradients=0, n_proposals=1)
        return SamplerState(point=point.replace(x=x), rng=state.rng), info

"""Chains of one sampler on one energy, and the ways of moving them: ours, by hand, on the live module, on torchebm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from ebmkit.assembly.build import build
from ebmkit.benchmarks import loops, torchebm_side
from ebmkit.benchmarks.workload import Call, Style, Timed, Unavailable, Way
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import Sampler
from ebmkit.views.chunks import Rows
from ebmkit.views.engine_choice import choose_engine
from ebmkit.views.frozen import FrozenCopy
from ebmkit.views.passes import Engine
from ebmkit.views.view import CallableView, FrozenView, Precision, view

MakeEnergy = Callable[[BuildContext], nn.Module]
LOOPS: Mapping[str, Callable[..., Tensor]] = {"sgld": loops.langevin, "mala": loops.mala, "hmc": loops.hmc}
LONG_RUN = 1_000_000
"""Training steps for which an engine is chosen: enough that a compilation could be won back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chains:
    """What all ways of a workload do alike.

    Attributes:
        energy: context → energy, with the same weights each time.
        sampler: its name: "sgld", "mala" or "hmc".
        settings: of the sampler, (name, value) of each.
        n: chains.
        event_shape: of one.
        value_range: of x, None where it is unbounded. Chains start uniform in it, or standard normal.
        chunk: rows that go through the network together, 0 for all, "auto" as a short measurement finds.
    """

    energy: MakeEnergy
    sampler: str
    settings: tuple[tuple[str, float], ...]
    n: int
    event_shape: tuple[int, ...]
    value_range: tuple[float, float] | None = None
    chunk: Rows = "auto"

    def context(self, device: torch.device) -> BuildContext:
        """Returns what the parts are built for."""
        return BuildContext(
            event_shape=self.event_shape, value_range=self.value_range, batch_size=self.n, device=device, seed=0
        )

    def count(self, name: str) -> int:
        """Returns one setting of the sampler that is a whole number."""
        return int(dict(self.settings)[name])

    def start(self, device: torch.device) -> Tensor:
        """Returns where every way starts, [n, *event]."""
        rng, shape = Generator().manual_seed(0), (self.n, *self.event_shape)
        if self.value_range is None:
            return torch.randn(shape, generator=rng).to(device)
        low, high = self.value_range
        return (low + (high - low) * torch.rand(shape, generator=rng)).to(device)


def ours(chains: Chains, precision: Precision, engine: Engine = "eager", *, bare: str = "") -> Way:
    """Returns the sampler on the frozen view."""

    def make(device: torch.device) -> Timed:
        return Timed(call=_transition(chains, _view(chains, precision, engine, device), device))

    style: Style = "" if engine == "eager" else "compile"
    return Way(make=make, precision=precision, engine=engine, bare=bare, style=style)


def chosen(chains: Chains, precision: Precision, *, bare: str = "") -> Way:
    """Returns the sampler on the view of a long run, whose engine a short measurement picks."""

    def make(device: torch.device) -> Timed:
        seen, choice = choose_engine(
            lambda engine: _view(chains, precision, engine, device), _sampler(chains, device),
            Point(x=chains.start(device)), Generator(device).manual_seed(0), steps=LONG_RUN,
        )  # fmt: skip
        return Timed(call=_transition(chains, seen, device), engine=choice.engine)

    return Way(make=make, precision=precision, engine="", bare=bare, style="compile")


def by_hand(chains: Chains, precision: Precision) -> Way:
    """Returns the bare gradient loop on the network with its weights folded and frozen, in one precision."""

    def make(device: torch.device) -> Timed:
        live = chains.energy(chains.context(device))
        frozen = FrozenCopy(live, precision).module
        return Timed(call=_loop(chains, frozen, device, bf16=precision == "bf16"))

    return Way(make=make, precision=precision)


def on_the_live_module(chains: Chains) -> Way:
    """Returns the gradient loop on the module that is trained, in fp32: its spectral norm is rebuilt in every pass."""

    def make(device: torch.device) -> Timed:
        return Timed(call=_loop(chains, chains.energy(chains.context(device)), device))

    return Way(make=make, precision="fp32")


def on_torchebm(chains: Chains, gradients: int, *, block: int = 0) -> Way:
    """Returns the same moves on torchebm, on the same weights, spectral norm folded: eager, as is its default.

    With a block, as a careful user would write it: weights that want no gradients, and so many chains a call.
    """

    def call(energy: nn.Module, x: Tensor) -> Call:
        settings: dict[str, Any] = dict(chains.settings)
        if chains.sampler == "sgld":
            return torchebm_side.langevin(energy, x, bounds=chains.value_range, **settings)
        if chains.sampler == "hmc":
            return torchebm_side.hmc(energy, x, **settings)
        raise Unavailable(f"torchebm has no {chains.sampler}.")

    def make(device: torch.device) -> Timed:
        torchebm_side.check_installed()
        energy = FrozenCopy(chains.energy(chains.context(device)), "exact").module.requires_grad_(not block)
        calls = [call(energy, x) for x in torch.split(chains.start(device), block or chains.n)]
        return Timed(call=lambda: [one() for one in calls])

    return Way(make=make, precision="fp32", gradients=gradients, style="torchebm")


@lru_cache(maxsize=8)
def _view(chains: Chains, precision: Precision, engine: Engine, device: torch.device) -> FrozenView | CallableView:
    """Returns a view; the same again, so that nothing is compiled twice."""
    return view(chains.energy(chains.context(device)), precision, engine=engine, chunk=chains.chunk)


def _sampler(chains: Chains, device: torch.device) -> Sampler:
    found: Sampler = build("sampler", chains.sampler, context=chains.context(device), **dict(chains.settings))
    return found


def _transition(chains: Chains, seen: FrozenView | CallableView, device: torch.device) -> Call:
    sampler, point, rng = _sampler(chains, device), Point(x=chains.start(device)), Generator(device).manual_seed(0)
    return lambda: sampler.step(seen, sampler.init(point, rng))


def _loop(chains: Chains, energy: nn.Module, device: torch.device, *, bf16: bool = False) -> Call:
    x, rng = chains.start(device), Generator(device).manual_seed(0)

    def value(leaf: Tensor) -> Tensor:
        found: Tensor = energy(Point(x=leaf))
        return found

    def rounded(leaf: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
            return value(leaf)

    return partial(
        LOOPS[chains.sampler], rounded if bf16 else value, x, rng, bounds=chains.value_range, **dict(chains.settings)
    )

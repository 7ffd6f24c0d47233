"""What core's Metropolis-adjusted samplers are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval

from ebmkit.plugins.component import Component, Need, Selection
from ebmkit.plugins.numbers import Count, Positive, Rate

Adapt = Literal["band", "dual-averaging", "off"]


def settled_per(asked: str | None, selection: Selection) -> str:
    """Returns the coordinate whose values have step sizes of their own: noised and clean x want different ones."""
    return asked if asked is not None else next(iter(selection.noised), "")


@dataclass(frozen=True, kw_only=True, slots=True)
class MalaConfig:
    """Langevin proposals x − (s²/2)∇E/T + sξ, each accepted or rejected.

    Attributes:
        moves: moves per transition; it costs moves + 1 gradients.
        step_size: s, data units, where adaptation starts.
        step_size_per: a discrete coordinate each value of which has its own step size; "" for one in all; unset: the
            one that noises x, where there is one.
        scale: relative step of each entry of x: none, or as many as a datum has entries. Best is its s.d. under p.
        adapt: how training adapts the step: "band" (grow above the band of acceptance rates, shrink below),
            "dual-averaging" (to the middle of the band), "off". A transition never adapts by itself.
        adapt_every: transitions whose trials are pooled for one adaptation.
        accept: the band of acceptance rates (lowest, highest).
        warmup: transitions at the start of training that take every finite proposal (Zhang et al., 2023): not exact,
            until it is over. Sampling is always adjusted.
    """

    moves: Count = 20
    step_size: Positive = 0.1
    step_size_per: str | None = None
    scale: tuple[Positive, ...] = ()
    adapt: Adapt = "band"
    adapt_every: Count = 10
    accept: tuple[Rate, Rate] = (0.6, 0.8)
    warmup: Annotated[int, Ge(0)] = 0

    def settled(self, selection: Selection) -> MalaConfig:
        """Returns the config with the coordinate of the step sizes decided."""
        return replace(self, step_size_per=settled_per(self.step_size_per, selection))


@dataclass(frozen=True, kw_only=True, slots=True)
class HmcConfig:
    """Hamiltonian proposals: L leapfrog steps from a fresh momentum, accepted or rejected.

    Attributes:
        moves: proposals per transition; it costs moves · n_leapfrog + 1 gradients.
        n_leapfrog: L, leapfrog steps a proposal.
        step_size: of one leapfrog step, data units, where adaptation starts.
        step_size_per: a discrete coordinate each value of which has its own step size; "" for one in all; unset: the
            one that noises x, where there is one.
        scale: relative step of each entry of x, 1/√mass: none, or as many as a datum has entries. Best is its s.d.
            under p.
        adapt: how training adapts the step: "band" (grow above the band of acceptance rates, shrink below),
            "dual-averaging" (to the middle of the band), "off". A transition never adapts by itself.
        adapt_every: transitions whose trials are pooled for one adaptation.
        accept: the band of acceptance rates (lowest, highest).
    """

    moves: Count = 2
    n_leapfrog: Count = 10
    step_size: Positive = 0.1
    step_size_per: str | None = None
    scale: tuple[Positive, ...] = ()
    adapt: Adapt = "band"
    adapt_every: Count = 10
    accept: tuple[Rate, Rate] = (0.6, 0.9)

    def settled(self, selection: Selection) -> HmcConfig:
        """Returns the config with the coordinate of the step sizes decided."""
        return replace(self, step_size_per=settled_per(self.step_size_per, selection))


@dataclass(frozen=True, kw_only=True, slots=True)
class NutsConfig:
    """Hamiltonian trajectories that each chain doubles until they turn back; the new state is drawn from all of it.

    Attributes:
        moves: trajectories per transition; it costs at most moves · (2^max_depth − 1) + 1 gradients.
        max_depth: doublings at most. All chains go together: without `stops_early` every transition costs that many.
        stops_early: after each doubling, ask whether any chain still grows and stop if none does. Saves gradients where
            chains are few, costs one host synchronisation a doubling, changes no draw.
        step_size: of one leapfrog step, data units, where adaptation starts.
        step_size_per: a discrete coordinate each value of which has its own step size; "" for one in all; unset: the
            one that noises x, where there is one.
        scale: relative step of each entry of x, 1/√mass: none, or as many as a datum has entries. Best is its s.d.
            under p.
        adapt: how training adapts the step: "band" (grow above the band of acceptance rates, shrink below),
            "dual-averaging" (to the middle of the band), "off". A transition never adapts by itself.
        adapt_every: transitions whose trials are pooled for one adaptation.
        accept: the band of acceptance rates (lowest, highest); that of NUTS is the mean of min(1, r) over its states.
    """

    moves: Count = 1
    max_depth: Annotated[int, Interval(ge=1, le=12)] = 5
    stops_early: bool = False
    step_size: Positive = 0.1
    step_size_per: str | None = None
    scale: tuple[Positive, ...] = ()
    adapt: Adapt = "band"
    adapt_every: Count = 10
    accept: tuple[Rate, Rate] = (0.7, 0.9)

    def settled(self, selection: Selection) -> NutsConfig:
        """Returns the config with the coordinate of the step sizes decided."""
        return replace(self, step_size_per=settled_per(self.step_size_per, selection))


def _tuned_needs(config: MalaConfig | HmcConfig, selection: Selection) -> tuple[Need, ...]:
    name = config.step_size_per
    return (Need(f"point.{name}", default=name),) if name else ()


def band_refused(config: Any, selection: Selection) -> str:
    """Returns why the acceptance rates of a config are no band, or ""."""
    low, high = config.accept
    return "" if low < high else f"accept = [{low:g}, {high:g}] is no band: give the lower rate first."


COMPONENTS = (
    Component(
        kind="sampler",
        name="mala",
        config=MalaConfig,
        build="ebmkit.samplers.mala:build_mala",
        summary="Metropolis-adjusted Langevin: exact, one gradient a move",
        cite="Roberts, Tweedie, Exponential convergence of Langevin distributions and their discrete approximations, "
        "Bernoulli 1996",
        gives=("sampler.exact", "sampler.tail"),
        needs=_tuned_needs,
        refuse=band_refused,
    ),
    Component(
        kind="sampler",
        name="hmc",
        config=HmcConfig,
        build="ebmkit.samplers.hmc:build_hmc",
        summary="Hamiltonian Monte Carlo: exact, long moves of L gradients",
        cite="Duane, Kennedy, Pendleton, Roweth, Hybrid Monte Carlo, Physics Letters B 1987; "
        "Neal, MCMC using Hamiltonian dynamics, Handbook of Markov Chain Monte Carlo 2011",
        gives=("sampler.exact", "sampler.tail"),
        needs=_tuned_needs,
        refuse=band_refused,
    ),
    Component(
        kind="sampler",
        name="nuts",
        config=NutsConfig,
        build="ebmkit.samplers.nuts:build_nuts",
        summary="no-U-turn sampler: exact, trajectories as long as they lead away",
        cite="Hoffman, Gelman, The No-U-Turn sampler, JMLR 2014; "
        "Betancourt, A conceptual introduction to Hamiltonian Monte Carlo, arXiv 1701.02434, 2017",
        gives=("sampler.exact",),
        needs=_tuned_needs,
        refuse=band_refused,
    ),
)

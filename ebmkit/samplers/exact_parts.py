"""What core's Metropolis-adjusted, Gibbs and underdamped samplers are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval, MinLen

from ebmkit.components import Component, Need, Selection
from ebmkit.samplers.parts import clamp_refused

Positive = Annotated[float, Gt(0)]
Count = Annotated[int, Gt(0)]
Rate = Annotated[float, Interval(gt=0, lt=1)]
Adapt = Literal["band", "dual-averaging", "off"]


def settled_per(asked: str | None, selection: Selection) -> str:
    """Returns the coordinate whose values have step sizes of their own: noised and clean x want different ones."""
    return asked if asked is not None else "level" if "level" in selection.coordinates else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class MalaConfig:
    """Langevin proposals x − (s²/2)∇E/T + sξ, each accepted or rejected.

    Attributes:
        moves: moves a transition; it costs moves + 1 gradients.
        step_size: s, data units, where adaptation starts.
        step_size_per: a discrete coordinate each value of which has its own step size; "" for one in all; unset: the
            `level` where there is one.
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
        moves: proposals a transition; it costs moves · n_leapfrog + 1 gradients.
        n_leapfrog: L, leapfrog steps a proposal.
        step_size: of one leapfrog step, data units, where adaptation starts.
        step_size_per: a discrete coordinate each value of which has its own step size; "" for one in all; unset: the
            `level` where there is one.
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
class UnderdampedConfig:
    """Unadjusted Langevin moves with momentum, split as BAOAB.

    Attributes:
        moves: moves a transition; it costs moves + 1 gradients.
        step_size: h, data units.
        friction: γ, per unit of integrated time: the momentum forgets itself over 1/γh moves.
        scale: relative step of each entry of x, 1/√mass: none, or as many as a datum has entries. Best is its s.d.
            under p.
        clamp: keep x in the value range of the data, momentum turned at the wall; "auto" does where the data have one
            and no coordinate noises x.
    """

    moves: Count = 20
    step_size: Positive = 0.1
    friction: Positive = 1.0
    scale: tuple[Positive, ...] = ()
    clamp: Literal["auto", "on", "off"] = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class GibbsConfig:
    """An exact draw of one discrete coordinate given all else.

    Attributes:
        coordinate: its name.
        window: 0 draws among all values, by the energy's `levels`; w ≥ 2 among the w values of a block with a random
            offset, by w energies a draw (all values, if there are no more: for an energy without `levels`).
    """

    coordinate: Annotated[str, MinLen(1)] = "level"
    window: Annotated[int, Ge(0)] = 0


def _tuned_needs(config: MalaConfig | HmcConfig, selection: Selection) -> tuple[Need, ...]:
    name = config.step_size_per
    return (Need(f"point.{name}", default=name),) if name else ()


def _band_refused(config: MalaConfig | HmcConfig, selection: Selection) -> str:
    low, high = config.accept
    return "" if low < high else f"accept = [{low:g}, {high:g}] is no band: give the lower rate first."


def _gibbs_gives(config: GibbsConfig, selection: Selection) -> tuple[str, ...]:
    draws = () if config.window else (f"draws.{config.coordinate}",)
    return ("sampler.exact", f"moves.{config.coordinate}", *draws)


def _gibbs_needs(config: GibbsConfig, selection: Selection) -> tuple[Need, ...]:
    point = Need(f"point.{config.coordinate}", default=config.coordinate)
    return (point,) if config.window else (point, Need("energy.levels"))


def _gibbs_refused(config: GibbsConfig, selection: Selection) -> str:
    return "window = 1 would never move the coordinate: give 0 (all) or at least 2." if config.window == 1 else ""


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
        refuse=_band_refused,
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
        refuse=_band_refused,
    ),
    Component(
        kind="sampler",
        name="underdamped",
        config=UnderdampedConfig,
        build="ebmkit.samplers.underdamped:build_underdamped",
        summary="Langevin moves with momentum (BAOAB), unadjusted, bias of second order in the step",
        cite="Leimkuhler, Matthews, Rational construction of stochastic numerical methods for molecular sampling, "
        "Applied Mathematics Research eXpress 2013",
        gives=("sampler.unadjusted", "sampler.tail"),
        needs=(Need("point.momentum", default="momentum"),),
        refuse=clamp_refused,
    ),
    Component(
        kind="sampler",
        name="gibbs",
        config=GibbsConfig,
        build="ebmkit.samplers.gibbs:build_gibbs",
        summary="exact draw of a discrete coordinate from the energies of its values",
        cite="Geman, Geman, Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of images, "
        "IEEE Transactions on Pattern Analysis and Machine Intelligence 1984",
        gives=_gibbs_gives,
        needs=_gibbs_needs,
        refuse=_gibbs_refused,
    ),
)

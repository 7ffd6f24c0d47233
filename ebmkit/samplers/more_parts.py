"""What core's NUTS, tempering and Gibbs-with-gradients samplers are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval

from ebmkit.components import Component, Need, Selection
from ebmkit.errors import CapabilityError
from ebmkit.samplers.exact_parts import Adapt, Count, Positive, Rate, settled_per


@dataclass(frozen=True, kw_only=True, slots=True)
class NutsConfig:
    """Hamiltonian trajectories that each chain doubles until they turn back; the new state is drawn from all of it.

    Attributes:
        moves: trajectories a transition; it costs at most moves · (2^max_depth − 1) + 1 gradients.
        max_depth: doublings at most. All chains go together: without `stops_early` every transition costs that many.
        stops_early: after each doubling, ask whether any chain still grows and stop if none does. Saves gradients where
            chains are few, costs one host synchronisation a doubling, changes no draw.
        step_size: of one leapfrog step, data units, where adaptation starts.
        step_size_per: a discrete coordinate each value of which has its own step size; "" for one in all; unset: the
            `level` where there is one.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class TemperingConfig:
    """Replicas of each chain at higher temperatures, moved by MALA and exchanged with their neighbours.

    Attributes:
        n_temperatures: R, replicas of a chain, the one at T included. A transition costs R · (moves + 1) gradients.
        highest: temperature of the hottest, in units of T; the others lie between in equal ratios.
        moves: MALA moves of every replica between exchanges.
        step_size: s at T, data units, where adaptation starts; a replica at T' starts with s√(T'/T).
        scale: relative step of each entry of x: none, or as many as a datum has entries. Best is its s.d. under p.
        adapt: how training adapts the steps, one for each temperature: "band" (grow above the band of acceptance
            rates, shrink below), "dual-averaging" (to the middle of the band), "off".
        adapt_every: transitions whose trials are pooled for one adaptation.
        accept: the band of acceptance rates of MALA moves (lowest, highest).
    """

    n_temperatures: Annotated[int, Ge(2)] = 6
    highest: Annotated[float, Gt(1)] = 10.0
    moves: Count = 20
    step_size: Positive = 0.1
    scale: tuple[Positive, ...] = ()
    adapt: Adapt = "band"
    adapt_every: Count = 10
    accept: tuple[Rate, Rate] = (0.6, 0.8)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicasConfig:
    """What tempering keeps of a chain beside it.

    Attributes:
        n_temperatures: R, as the sampler has it; R − 1 replicas are stored with each row.
    """

    n_temperatures: Annotated[int, Ge(2)] = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class GwgConfig:
    """One entry of a discrete x changes in a move, chosen by the gradient, and is accepted or rejected.

    Attributes:
        moves: moves a transition; it costs moves + 1 gradients.
        values: "binary": each entry of x is the lowest or the highest value of the data's range (0 and 1 without one);
            "one-hot": the last axis of x has a single 1; "auto": what the data say, binary outside a run.
    """

    moves: Count = 20
    values: Literal["auto", "binary", "one-hot"] = "auto"


def no_tail(name: str) -> CapabilityError:
    """Returns the error for a tail that is asked of a sampler whose moves have no graph."""
    return CapabilityError(
        f"A tail was asked of {name}, but the end of its move is no differentiable function of the start. "
        "Samplers that have one: sgld, underdamped, mala, hmc."
    )


def _nuts_needs(config: NutsConfig, selection: Selection) -> tuple[Need, ...]:
    name = config.step_size_per
    return (Need(f"point.{name}", default=name),) if name else ()


def _tempering_needs(config: TemperingConfig, selection: Selection) -> tuple[Need, ...]:
    (word,) = _replicas_gives(config, selection)
    return (Need(word, default="replicas", config={"n_temperatures": config.n_temperatures}),)


def _replicas_gives(config: ReplicasConfig | TemperingConfig, selection: Selection) -> tuple[str, ...]:
    return (f"point.replicas-of-{config.n_temperatures}",)


def _band_refused(config: NutsConfig | TemperingConfig, selection: Selection) -> str:
    low, high = config.accept
    return "" if low < high else f"accept = [{low:g}, {high:g}] is no band: give the lower rate first."


def _tempering_refused(config: TemperingConfig, selection: Selection) -> str:
    moved = sorted(word.removeprefix("moves.") for word in selection.words if word.startswith("moves."))
    if moved:
        return (
            f"another sampler moves {', '.join(moved)} at T alone, and the replicas of a chain would no longer belong "
            "to its law. Leave one of them out."
        )
    return _band_refused(config, selection)


COMPONENTS = (
    Component(
        kind="sampler",
        name="nuts",
        config=NutsConfig,
        build="ebmkit.samplers.nuts:build_nuts",
        summary="no-U-turn sampler: exact, trajectories as long as they lead away",
        cite="Hoffman, Gelman, The No-U-Turn sampler, JMLR 2014; "
        "Betancourt, A conceptual introduction to Hamiltonian Monte Carlo, arXiv 1701.02434, 2017",
        gives=("sampler.exact",),
        needs=_nuts_needs,
        refuse=_band_refused,
    ),
    Component(
        kind="sampler",
        name="tempering",
        config=TemperingConfig,
        build="ebmkit.samplers.tempering:build_tempering",
        summary="parallel tempering: exact, hot replicas carry chains from mode to mode",
        cite="Geyer, Markov chain Monte Carlo maximum likelihood, Computing Science and Statistics 1991; "
        "Syed, Bouchard-Côté, Deligiannidis, Doucet, Non-reversible parallel tempering, JRSS B 2022",
        gives=("sampler.exact",),
        needs=_tempering_needs,
        refuse=_tempering_refused,
    ),
    Component(
        kind="coordinate",
        name="replicas",
        config=ReplicasConfig,
        build="ebmkit.samplers.tempering:build_replicas",
        summary="hotter replicas of a chain, stored beside it",
        gives=_replicas_gives,
    ),
    Component(
        kind="sampler",
        name="gibbs-with-gradients",
        config=GwgConfig,
        build="ebmkit.samplers.gibbs_with_gradients:build_gwg",
        summary="exact moves of binary or one-hot x, one entry at a time, the gradient says which",
        cite="Grathwohl, Swersky, Hashemi, Duvenaud, Maddison, Oops I took a gradient: scalable sampling for discrete "
        "distributions, ICML 2021",
        gives=("sampler.exact", "sampler.discrete"),
    ),
)

"""What parallel tempering is called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt

from ebmkit.plugins.component import Component, Need, Selection
from ebmkit.plugins.numbers import Positive
from ebmkit.plugins.short_repr import short_repr
from ebmkit.protocols.traits import SamplerTraits, X
from ebmkit.samplers.declarations.steps import StepConfig, band_refused

TEMPERING = SamplerTraits(moves=frozenset({X, "replicas"}), adjusted=True)
"""What tempering does; "replicas" is the coordinate of that name."""

UNSEEN = {"momentum", "replicas"}
"""Coordinates that no energy sees: who moves them leaves the law of the replicas alone."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class TemperingConfig(StepConfig):
    """Replicas of each chain at higher temperatures, moved by MALA and exchanged with their neighbours.

    Attributes:
        moves: MALA moves of every replica between exchanges.
        step_size: s at T, data units, where adaptation starts; a replica at T' starts with s√(T'/T).
        adapt: how training adapts the steps, one for each temperature: "band" (grow above the band of acceptance
            rates, shrink below), "dual-averaging" (to the middle of the band), "off".
        accept: the band of acceptance rates of MALA moves (lowest, highest).
        n_temperatures: R, replicas of a chain, the one at T included. A transition costs R · (moves + 1) gradients.
        highest: temperature of the hottest, in units of T; the others lie between in equal ratios.
        scale: relative step of each entry of x: none, or as many as a datum has entries. Best is its s.d. under p.
    """

    n_temperatures: Annotated[int, Ge(2)] = 6
    highest: Annotated[float, Gt(1)] = 10.0
    scale: tuple[Positive, ...] = ()


def _tempering_needs(config: TemperingConfig, selection: Selection) -> tuple[Need, ...]:
    word = f"point.replicas-of-{config.n_temperatures}"
    return (Need(word, default="replicas", config={"n_temperatures": config.n_temperatures}),)


def _tempering_refused(config: TemperingConfig, selection: Selection) -> str:
    words = (word.removeprefix("moves.") for word in selection.capabilities if word.startswith("moves."))
    moved = sorted(set(words) - UNSEEN)
    if moved:
        return (
            f"another sampler moves {', '.join(moved)} at T alone, and the replicas of a chain would no longer belong "
            "to its law. Leave one of them out."
        )
    return band_refused(config, selection)


COMPONENTS = (
    Component(
        kind="sampler",
        name="tempering",
        config=TemperingConfig,
        build="ebmkit.samplers.tempering:build_tempering",
        summary="parallel tempering: exact, hot replicas carry chains from mode to mode",
        cite=(
            "Charles J. Geyer (1991). Markov chain Monte Carlo maximum likelihood. Computing Science and Statistics: "
            "Proceedings of the 23rd Symposium on the Interface; Saifuddin Syed, Alexandre Bouchard-Côté, George "
            "Deligiannidis, Arnaud Doucet (2022). Non-reversible parallel tempering: a scalable highly parallel MCMC "
            "scheme. Journal of the Royal Statistical Society, Series B. arXiv:1905.02939"
        ),
        traits=TEMPERING,
        needs=_tempering_needs,
        refuse=_tempering_refused,
    ),
)

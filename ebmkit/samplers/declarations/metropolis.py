"""What core's Metropolis-adjusted samplers are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Interval

from ebmkit.plugins.component import Component
from ebmkit.plugins.numbers import Moves, Rate
from ebmkit.plugins.short_repr import short_repr
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.samplers.declarations.steps import ScaledStepConfig, band_refused, step_needs

EXACT = SamplerTraits(adjusted=True, tail="keeps")
"""What mala and hmc do."""

NUTS = SamplerTraits(adjusted=True)
"""What nuts does: the end of a trajectory is no differentiable function of its start."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class MalaConfig(ScaledStepConfig):
    """Langevin proposals x − (s²/2)∇E/T + sξ, each accepted or rejected.

    Attributes:
        scale: relative step of each entry of x: none, or as many as a datum has entries. Best is its s.d. under p.
        warmup: transitions at the start of training that take every finite proposal (Zhang et al., 2023): not exact,
            until it is over. Sampling is always adjusted.
    """

    warmup: Annotated[int, Ge(0)] = 0


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class HmcConfig(ScaledStepConfig):
    """Hamiltonian proposals: L leapfrog steps from a fresh momentum, accepted or rejected.

    Attributes:
        moves: proposals per transition; it costs moves · n_leapfrog + 1 gradients.
        step_size: of one leapfrog step, data units, where adaptation starts.
        n_leapfrog: L, leapfrog steps per proposal.
    """

    moves: Moves = 2
    accept: tuple[Rate, Rate] = (0.6, 0.9)
    n_leapfrog: Moves = 10


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class NutsConfig(ScaledStepConfig):
    """Hamiltonian trajectories that each chain doubles until they turn back; the new state is drawn from all of it.

    Attributes:
        moves: trajectories per transition; it costs at most moves · (2^max_depth − 1) + 1 gradients.
        step_size: of one leapfrog step, data units, where adaptation starts.
        accept: the band of acceptance rates (lowest, highest); that of NUTS is the mean of min(1, r) over its states.
        max_depth: doublings at most. All chains go together: without `stops_early` every transition costs that many.
        stops_early: after each doubling, ask whether any chain still grows and stop if none does. Saves gradients where
            chains are few, costs one host synchronisation per doubling, changes no draw.
    """

    moves: Moves = 1
    accept: tuple[Rate, Rate] = (0.7, 0.9)
    max_depth: Annotated[int, Interval(ge=1, le=12)] = 5
    stops_early: bool = False


COMPONENTS = (
    Component(
        kind="sampler",
        name="mala",
        config=MalaConfig,
        build="ebmkit.samplers.mala:build_mala",
        summary="Metropolis-adjusted Langevin: exact, one gradient a move",
        cite=(
            "Gareth O. Roberts, Richard L. Tweedie (1996). Exponential convergence of Langevin distributions and "
            "their discrete approximations. Bernoulli"
        ),
        traits=EXACT,
        needs=step_needs,
        refuse=band_refused,
    ),
    Component(
        kind="sampler",
        name="hmc",
        config=HmcConfig,
        build="ebmkit.samplers.hmc:build_hmc",
        summary="Hamiltonian Monte Carlo: exact, long moves of L gradients",
        cite=(
            "Simon Duane, A. D. Kennedy, Brian J. Pendleton, Duncan Roweth (1987). Hybrid Monte Carlo. Physics "
            "Letters B; Radford M. Neal (2011). MCMC using Hamiltonian dynamics. Handbook of Markov Chain Monte "
            "Carlo. arXiv:1206.1901"
        ),
        traits=EXACT,
        needs=step_needs,
        refuse=band_refused,
    ),
    Component(
        kind="sampler",
        name="nuts",
        config=NutsConfig,
        build="ebmkit.samplers.nuts:build_nuts",
        summary="no-U-turn sampler: exact, trajectories as long as they lead away",
        cite=(
            "Matthew D. Hoffman, Andrew Gelman (2014). The No-U-Turn sampler: adaptively setting path lengths in "
            "Hamiltonian Monte Carlo. Journal of Machine Learning Research. arXiv:1111.4246; Michael Betancourt "
            "(2017). A conceptual introduction to Hamiltonian Monte Carlo. arXiv:1701.02434"
        ),
        traits=NUTS,
        needs=step_needs,
        refuse=band_refused,
    ),
)

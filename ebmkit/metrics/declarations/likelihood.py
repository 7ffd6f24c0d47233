"""What core's metrics of densities and normalisers are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, MinLen, MultipleOf

from ebmkit.plugins.component import Component, Need
from ebmkit.plugins.numbers import Count, Moves, Positive
from ebmkit.plugins.short_repr import short_repr

Chains = Annotated[int, Ge(2)]

NEAL = (
    "Radford M. Neal (2001). Annealed importance sampling. Statistics and Computing; Roger B. "
    "Grosse, Zoubin Ghahramani, Ryan P. Adams (2015). Sandwiching the marginal likelihood using bidirectional Monte "
    "Carlo. arXiv:1511.02543; Yuri Burda, Roger B. Grosse, Ruslan Salakhutdinov (2015). Accurate and conservative "
    "estimates of MRF log-likelihood using reverse annealing. AISTATS. arXiv:1412.8566"
)


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class AisConfig:
    """log Z by annealed chains in both directions, and what follows for held-out data.

    It costs about 2 · n_temperatures · (moves · n_leapfrog + 2) gradients a chain, and as many again for the pilots,
    of half as many chains.

    Attributes:
        n_chains: chains each way.
        n_temperatures: densities between the base and the model.
        moves: Hamiltonian proposals at each of them, accepted or rejected.
        n_leapfrog: leapfrog steps of a proposal.
        base: law with a known normaliser: "gaussian", fitted to training data, or "uniform" on their value range;
            "auto", uniform where x has a range that nothing noises.
        starts: of the way back: "samples", fresh chains of the run's sampler, or "data", held out; "auto", samples,
            but data where chains are taken at a visit to data, which takes long.
        settle: adjusted transitions that the starts make at the model first.
        temperature: T of p ∝ exp(−E/T); unset, that of the run.
    """

    n_chains: Chains = 32
    n_temperatures: Count = 60
    moves: Moves = 1
    n_leapfrog: Moves = 5
    base: Literal["auto", "gaussian", "uniform"] = "auto"
    starts: Literal["auto", "samples", "data"] = "auto"
    settle: Annotated[int, Ge(0)] = 20
    temperature: Positive | None = None


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class LikelihoodConfig:
    """log p(x) of held-out data in one pass, by the levels of a joint model, and a two-sided check of it.

    Attributes:
        n_data: held-out data, at most.
        bridge: moves at each level, and at the densities between it and the next one, of the chains of bridge
            sampling: an estimate of log Z for each number.
        n_chains: chains each way of the check, along the levels, and of each bridge.
        between: densities between each level and the next one, geometric, at which the check stops too; more where
            levels are far apart. Each costs the energies of both.
        moves: Hamiltonian proposals at each level.
        n_leapfrog: leapfrog steps of a proposal.
        settle: adjusted transitions at clean data that the starts of the way back, held-out data, make first.
    """

    n_data: Chains = 1_000
    bridge: Annotated[tuple[Count, ...], MinLen(1)] = (8, 30)
    n_chains: Chains = 64
    between: Annotated[int, Ge(0)] = 3
    moves: Moves = 1
    n_leapfrog: Moves = 5
    settle: Annotated[int, Ge(0)] = 20


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class PlaneConfig:
    """The model's density in the plane, normalised by a sum over cells, against the data.

    Attributes:
        n_cells: along each side of the window; a multiple of 6. More where a density is finer than a cell.
        tolerance: largest error of the quadrature, nats, and largest share of mass outside, that pass for a result.
    """

    n_cells: Annotated[int, Ge(6), MultipleOf(6)] = 480
    tolerance: Positive = 0.01


COMPONENTS = (
    Component(
        kind="metric",
        name="ais",
        config=AisConfig,
        build="ebmkit.metrics.ais:build_ais",
        summary="log Z and bits a dimension by annealed importance sampling, from below and from above",
        cite=NEAL,
        needs=(Need("data.real", otherwise="Of discrete x there is no annealing here"),),
    ),
    Component(
        kind="metric",
        name="likelihood",
        config=LikelihoodConfig,
        build="ebmkit.metrics.likelihood:build_likelihood",
        summary="log p(x) in one pass where noise levels allow it, with a check of log Z from both sides",
        cite=(
            "Shahar Yadin, Noam Elata, Tomer Michaeli (2024). Classification diffusion models: revitalizing density "
            "ratio estimation. NeurIPS. arXiv:2402.10095; Charles H. Bennett (1976). Efficient estimation of free "
            "energy differences from Monte Carlo data. Journal of Computational Physics; Michael R. Shirts, John D. "
            "Chodera (2008). Statistically optimal analysis of samples from multiple equilibrium states. Journal of "
            "Chemical Physics"
        ),
        needs=(Need("point.noised", otherwise="ais needs no noise levels"),),
    ),
    Component(
        kind="metric",
        name="density-2d",
        config=PlaneConfig,
        build="ebmkit.metrics.density_2d:build_density_2d",
        summary="in the plane: both KL divergences, total variation and cross entropy by quadrature, and a picture",
        cite=(
            "Lloyd N. Trefethen, J. A. C. Weideman (2014). The exponentially convergent trapezoidal rule. SIAM Review"
        ),
        needs=(Need("data.plane", otherwise="ais estimates log Z in any number of dimensions"),),
    ),
)

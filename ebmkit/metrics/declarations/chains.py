"""What core's metrics of chains are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from ebmkit.metrics.declarations.features import asked_features_refused
from ebmkit.plugins.component import Component
from ebmkit.plugins.numbers import Count
from ebmkit.plugins.short_repr import short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class LongRunConfig:
    """Chains from held-out data that the run's sampler moves on, without augmentation, at clean data.

    Attributes:
        n_chains: chains.
        transitions: of each.
        records: times that it is looked at them.
        features: of images, on which their end is compared with data besides: as in `fd`. Unset: those that ship for
            images of their size; where there are none, x alone.
    """

    n_chains: Annotated[int, Ge(8)] = 100
    transitions: Count = 40
    records: Annotated[int, Ge(4)] = 40
    features: str = ""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ChainsConfig:
    """Fresh chains that the run's sampler moves, and how far their draws are independent.

    Attributes:
        n_chains: chains.
        burn_in: transitions that are thrown away first.
        transitions: transitions after these, each a draw.
        projections: random directions of x that are followed, beside energy and mean, where x is not small.
    """

    n_chains: Annotated[int, Ge(2)] = 16
    burn_in: Annotated[int, Ge(0)] = 50
    transitions: Annotated[int, Ge(8)] = 100
    projections: Annotated[int, Ge(0)] = 3


COMPONENTS = (
    Component(
        kind="metric",
        name="long-run",
        config=LongRunConfig,
        build="ebmkit.metrics.drift:build_drift",
        refuse=asked_features_refused,
        summary="chains that start at data and go on: the end against the start, and against data",
        cite=(
            "Xinwei Zhang, Zhiqiang Tan, Zhijian Ou (2023). Persistently trained, diffusion-assisted energy-based "
            "models. Stat. arXiv:2304.10707; Erik Nijkamp, Mitch Hill, Tian Han, Song-Chun Zhu, Ying Nian Wu (2020). "
            "On the anatomy of MCMC-based maximum likelihood learning of energy-based models. AAAI. arXiv:1903.12370"
        ),
    ),
    Component(
        kind="metric",
        name="chains",
        config=ChainsConfig,
        build="ebmkit.metrics.chains:build_chains",
        summary="effective sample sizes, R-hat, acceptance and round trips of fresh chains",
        cite=(
            "Aki Vehtari, Andrew Gelman, Daniel Simpson, Bob Carpenter, Paul-Christian Bürkner (2021). "
            "Rank-normalization, folding, and localization: an improved R-hat for assessing convergence of MCMC. "
            "Bayesian Analysis. arXiv:1903.08008"
        ),
    ),
)

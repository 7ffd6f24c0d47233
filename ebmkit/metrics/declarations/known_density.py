"""The metric of energies against a known density: what it is called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from ebmkit.plugins.component import Component, Need
from ebmkit.plugins.short_repr import short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class KnownDensityConfig:
    """Energies against the density of the data, in any number of dimensions; no chains.

    Attributes:
        n: draws of the data, at most.
    """

    n: Annotated[int, Ge(2)] = 10_000


COMPONENTS = (
    Component(
        kind="metric",
        name="known-density",
        config=KnownDensityConfig,
        build="ebmkit.metrics.known_density:build_known_density",
        summary="where log p of the data is known: errors of energies, mode weights, ESS of importance weights",
        cite=(
            "Augustine Kong (1992). A note on importance sampling using standardized weights. Technical report 348, "
            "University of Chicago; RuiKang OuYang, Louis Grenioux, José Miguel Hernández-Lobato (2026). A diffusive "
            "classification loss for learning energy-based generative models. ICML. arXiv:2601.21025"
        ),
        needs=(Need("data.real", otherwise="Of discrete x there is no way between two data"),),
    ),
)

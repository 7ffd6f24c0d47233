"""Settings of the mixture of Gaussians, and what it is called. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from ebmkit.plugins.component import Component
from ebmkit.plugins.short_repr import short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class GaussianMixtureConfig:
    """Gaussians whose means are uniform in a box, in any number of dimensions: a law with a known density.

    The usual settings are the 40 modes that samplers and losses are compared on: means uniform in [−40, 40]^D, variance
    softplus(1) = 1.3133, then standardised, after which modes lie about √(2D) apart and have an s.d. near .05.

    Attributes:
        dimensions: D, entries of x.
        modes: how many Gaussians.
        weights: of the modes: "equal", or "linear", in the ratios 1 : 2 : 3 …
        half_width: of the box of the means, data units before they are standardised.
        sd: of each mode, data units before they are standardised.
        standardised: x has mean 0 and s.d. 1 in each entry.
        seed: of the means alone.
        n: virtual length of the set, which is drawn afresh in every batch.
    """

    dimensions: Annotated[int, Gt(0)] = 16
    modes: Annotated[int, Ge(2)] = 40
    weights: Literal["equal", "linear"] = "equal"
    half_width: Annotated[float, Gt(0)] = 40.0
    sd: Annotated[float, Gt(0)] = 1.145976
    standardised: bool = True
    seed: Annotated[int, Ge(0)] = 0
    n: Annotated[int, Gt(0)] = 10_000


MIXTURE = Component(
    kind="dataset",
    name="gaussian-mixture",
    config=GaussianMixtureConfig,
    build="ebmkit.data.mixture:build_mixture",
    summary="40 Gaussians with a known density in any number of dimensions, drawn on the fly",
    cite=(
        "Laurence Illing Midgley, Vincent Stimper, Gregor N. C. Simm, Bernhard Schölkopf, José Miguel "
        "Hernández-Lobato (2023). Flow annealed importance sampling bootstrap. ICLR. arXiv:2208.01893; RuiKang OuYang, "
        "Louis Grenioux, José Miguel Hernández-Lobato (2026). A diffusive classification loss for learning "
        "energy-based generative models. ICML. arXiv:2601.21025"
    ),
)

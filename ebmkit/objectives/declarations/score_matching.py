"""Objectives that fit the score of the model, without chains: what they are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from annotated_types import Ge

from ebmkit.plugins.component import Component, Selection
from ebmkit.plugins.numbers import Positive
from ebmkit.plugins.short_repr import short_repr

USUAL_SIGMA = 0.1
LARGEST_EXACT = 16
"""Entries of x up to which the exact trace is computed."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class DenoisingScoreMatchingConfig:
    """weight · mean w·‖σ·∇E(x̃)/T − ε‖², x̃ = x + σε: the energy learns the law of data with noise.

    Where a coordinate noises x, as a level does, x̃ and ε are those of the lifted batch, at all levels at once; a level
    without noise teaches nothing.

    Attributes:
        sigma: s.d. of the noise, data units; unset, .1, or that of each level.
        weight: of the loss. ½, summed over the entries of x, is a bound of −log-likelihood over levels.
        data_sd: s.d. of the data, data units as chains hold them. Where it is set, w is one over the error per entry
            that is left for a Gaussian of this s.d., (a²s² + σ²)/(a²s²), at most max_weight; else w is 1.
        max_weight: largest w.
    """

    sigma: Positive | None = None
    weight: Positive = 0.5
    data_sd: Positive | None = None
    max_weight: Positive = 12.0

    def settled(self, selection: Selection) -> DenoisingScoreMatchingConfig:
        """Returns the config with the noise decided; it stays unset where levels have their own."""
        return self if self.sigma or selection.noised else replace(self, sigma=USUAL_SIGMA)


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class SlicedScoreMatchingConfig:
    """mean tr ∇S + ½‖S‖², S = −∇E/T the score; the trace from random directions, or exact in few dimensions.

    Attributes:
        projections: random directions ±1 for each datum; 0 computes the exact trace, one derivative for each entry of
            x, of which there may be 16.
    """

    projections: Annotated[int, Ge(0)] = 1


def _noise_refused(config: DenoisingScoreMatchingConfig, selection: Selection) -> str:
    if config.sigma is not None and selection.noised:
        return (
            f"the coordinate '{selection.noised[0]}' noises x to its own levels, so sigma = {config.sigma:g} has no "
            "meaning: leave it out."
        )
    return ""


def _exact_refused(config: SlicedScoreMatchingConfig, selection: Selection) -> str:
    n = 1
    for size in selection.event_shape or ():
        n *= size
    if config.projections or n <= LARGEST_EXACT:
        return ""
    return f"projections = 0 takes {n} derivatives a step here, one for each entry of x: set projections = 1."


COMPONENTS = (
    Component(
        kind="objective",
        name="denoising-score-matching",
        config=DenoisingScoreMatchingConfig,
        build="ebmkit.objectives.denoising:build_denoising",
        summary="fits the score of data with noise, on one scale or at every noise level; no chains",
        cite=(
            "Pascal Vincent (2011). A connection between score matching and denoising autoencoders. Neural "
            "Computation; Yang Song, Stefano Ermon (2019). Generative modeling by estimating gradients of the data "
            "distribution. NeurIPS. arXiv:1907.05600"
        ),
        aliases=("dsm",),
        gives=("objective.fit",),
        negatives=False,
        refuse=_noise_refused,
    ),
    Component(
        kind="objective",
        name="sliced-score-matching",
        config=SlicedScoreMatchingConfig,
        build="ebmkit.objectives.sliced:build_sliced",
        summary="fits the score of data without noise, by random directions or exactly in few dimensions; no chains",
        cite=(
            "Aapo Hyvärinen (2005). Estimation of non-normalized statistical models by score matching. Journal of "
            "Machine Learning Research; Yang Song, Sahaj Garg, Jiaxin Shi, Stefano Ermon (2019). Sliced score "
            "matching: a scalable approach to density and score estimation. UAI. arXiv:1905.07088"
        ),
        aliases=("ssm", "score-matching"),
        gives=("objective.fit",),
        negatives=False,
        refuse=_exact_refused,
    ),
)

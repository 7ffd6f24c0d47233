"""Objectives that tell data from noise: what they are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from ebmkit.plugins.component import Component, Selection
from ebmkit.plugins.numbers import Count, Positive
from ebmkit.plugins.short_repr import short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseContrastiveConfig:
    """Tells data from draws of a known law q by the logit −E(x)/T + c − log q(x); c learns to be −log Z.

    It works as far as q overlaps the data: in many dimensions the two are told apart long before E is right.

    Attributes:
        noise: q: "gaussian" with mean and covariance of the data; "kde", Gaussians around some of them; "uniform" on
            their value range. A Python program hands over any other law: `noise_contrastive.with_noise`.
        ratio: draws of q for each datum.
        centres: data around which "kde" puts a Gaussian.
        bandwidth: s.d. of these, data units; unset, by Scott's rule from the spread of the data.
        widen: factor on the s.d. of "gaussian"; above 1 it covers more than the data.
    """

    noise: Literal["gaussian", "kde", "uniform"] = "gaussian"
    ratio: Count = 1
    centres: Count = 1000
    bandwidth: Positive | None = None
    widen: Annotated[float, Ge(1)] = 1.0


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ConditionalNoiseContrastiveConfig:
    """Tells data from data with noise by E(x + σε) − E(x): neither a normaliser nor a law of the noise is needed.

    Attributes:
        sigma: s.d. of the noise, data units.
        ratio: noisy copies of each datum.
    """

    sigma: Positive = 0.5
    ratio: Count = 1


def noised(selection: Selection) -> str:
    """Returns why clean data cannot be compared with noise beside these coordinates, or ""."""
    if selection.noised:
        return (
            f"it compares clean data with noise, but the coordinate '{selection.noised[0]}' noises x. Leave it out, or "
            "take an objective over levels."
        )
    return ""


def _noised(config: object, selection: Selection) -> str:
    return noised(selection)


COMPONENTS = (
    Component(
        kind="objective",
        name="noise-contrastive",
        config=NoiseContrastiveConfig,
        build="ebmkit.objectives.noise_contrastive:build_noise_contrastive",
        summary="tells data from draws of a known law, and learns log Z; no chains",
        cite=(
            "Michael Gutmann, Aapo Hyvärinen (2010). Noise-contrastive estimation: a new estimation principle for "
            "unnormalized statistical models. AISTATS"
        ),
        aliases=("nce",),
        gives=("objective.fit",),
        negatives=False,
        refuse=_noised,
    ),
    Component(
        kind="objective",
        name="conditional-noise-contrastive",
        config=ConditionalNoiseContrastiveConfig,
        build="ebmkit.objectives.noise_contrastive:build_conditional",
        summary="tells data from data with noise, by energies alone; no chains and no gradient in x",
        cite=(
            "Ciwan Ceylan, Michael U. Gutmann (2018). Conditional noise-contrastive estimation of unnormalised models. "
            "ICML. arXiv:1806.03664"
        ),
        aliases=("cnce",),
        gives=("objective.fit",),
        negatives=False,
        refuse=_noised,
    ),
)

"""What the augmentation of chains is called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval

from ebmkit.plugins.component import Component, Selection
from ebmkit.plugins.short_repr import short_repr
from ebmkit.protocols.traits import SamplerTraits


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentConfig:
    """A random augmentation of every chain, as the published samplers apply before Langevin moves.

    Attributes:
        preset: "strong": crops of area .08–1, flip, colour jitter .4/.4/.4/.1 with probability .8, grey with .2 (Chen
            et al., 2020); "weak": crops of .7 to 1, flip, jitter .1; "gentle": zoom, shift by a few per cent, flip.
        p: probability that a chain is augmented at all.
        crop: least area of the crop; unset: of the preset.
        strength: factor on the colour jitter of the preset.
        flip: mirror half of the images.
        inexact: allow it beside exact samplers, although it does not leave p invariant.
    """

    preset: Literal["strong", "weak", "gentle"] = "strong"
    p: Annotated[float, Interval(ge=0, le=1)] = 1.0
    crop: Annotated[float, Interval(gt=0, le=1)] | None = None
    strength: Annotated[float, Interval(ge=0, le=2)] = 1.0
    flip: bool = True
    inexact: bool = False


AUGMENT = SamplerTraits(asks_gradient=False, tail="passes")
"""What augment does: it changes x without the energy, and hands on a graph that x carries."""


def _augment_refused(config: AugmentConfig, selection: Selection) -> str:
    if selection.noised:
        return f"it works in the range of the data, and {selection.noised[0]} noises x. Leave one of them out."
    if selection.event_shape is not None and len(selection.event_shape) != 3:
        return f"it augments grey or colour images, but a datum has shape {selection.event_shape}: leave it out."
    if "sampler.exact" in selection.capabilities and not config.inexact:
        return (
            "an augmentation does not leave the density invariant, and an exact sampler is beside it. "
            "Set sampler.augment.inexact = true to have it all the same."
        )
    return ""


def _augment_skipped(config: AugmentConfig, selection: Selection) -> str:
    if selection.event_shape is not None and len(selection.event_shape) != 3:
        return "the data are not images"
    return "" if "sampler.unadjusted" in selection.capabilities else "no unadjusted sampler is beside it"


COMPONENTS = (
    Component(
        kind="sampler",
        name="augment",
        config=AugmentConfig,
        build="ebmkit.samplers.augment:build_augment",
        summary="random augmentation of the chains, before Langevin moves; not exact",
        cite=(
            "Yilun Du, Shuang Li, Joshua Tenenbaum, Igor Mordatch (2021). Improved contrastive divergence training of "
            "energy-based models. ICML. arXiv:2012.01316"
        ),
        traits=AUGMENT,
        skip=_augment_skipped,
        refuse=_augment_refused,
    ),
)

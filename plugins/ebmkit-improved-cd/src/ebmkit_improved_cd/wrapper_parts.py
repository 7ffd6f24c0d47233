"""What the wrapper of this package is called and can be given. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Interval

from ebmkit import Component, Selection

CITE = (
    "Du, Li, Tenenbaum, Mordatch, Improved contrastive divergence training of energy-based models, ICML 2021, "
    "arXiv:2012.01316"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class MultiscaleConfig:
    """Separate energies on the image, ½ of it, ¼ of it …, and their sum.

    Attributes:
        n_scales: energies; each image but the first is half as high and wide as the one before.
        networks: settings in which the energy at scale 1, 2, … differs from that at scale 0, as in
            [{widths = [64, 64, 128]}]: published networks lose a stage with each scale. Scales beyond have none.
    """

    n_scales: Annotated[int, Interval(ge=1, le=8)] = 3
    networks: tuple[Mapping[str, Any], ...] = ()


def halved(event_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape [C, ⌈H/2⌉, ⌈W/2⌉] of the image at the next scale.

    >>> halved((3, 28, 15))
    (3, 14, 8)
    """
    channels, *sides = event_shape
    return (channels, *(-(-side // 2) for side in sides))


def not_scalable(config: MultiscaleConfig, event_shape: tuple[int, ...]) -> str:
    """Returns why data of this shape have not so many scales, or ""."""
    if len(event_shape) != 3:
        return (
            f"scales are those of images [channels, height, width], but a datum has shape {event_shape}. "
            "Choose a set of images, or leave multiscale out."
        )
    shape: tuple[int, ...] = event_shape
    for n in range(1, config.n_scales):
        if min(shape[1:]) < 2:
            height, width = event_shape[1:]
            return (
                f"an image of {height}×{width} has {n} scales, but {config.n_scales} were asked for. "
                f"Set wrapper.multiscale.n_scales = {n} or fewer."
            )
        shape = halved(shape)
    return ""


def too_many_networks(config: MultiscaleConfig) -> str:
    """Returns why some of the settings of smaller networks would be ignored, or ""."""
    if len(config.networks) < config.n_scales:
        return ""
    return (
        f"networks has {len(config.networks)} entries, but {config.n_scales} scales have {config.n_scales - 1} beside "
        "the full one. Leave some out, or set wrapper.multiscale.n_scales."
    )


def _refused(config: MultiscaleConfig, selection: Selection) -> str:
    if selection.event_shape is None:
        return too_many_networks(config)
    return too_many_networks(config) or not_scalable(config, selection.event_shape)


WRAPPERS = (
    Component(
        kind="wrapper",
        name="multiscale",
        config=MultiscaleConfig,
        build="ebmkit_improved_cd.multiscale:build_multiscale",
        summary="separate energies on the image, ½ of it, ¼ of it …; their sum is the energy",
        cite=CITE,
        # It gives features without asking for them, so that wrappers which alter features come outside it: a level or
        # a latent belongs to the sum, not to each of its terms.
        gives=("energy.features",),
        hides=("energy.latent",),
        refuse=_refused,
    ),
)

"""What this package offers: declarations and settings. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval

from ebmkit import Component, Include, Need, Selection, short_repr
from ebmkit.buffers.declarations import ReplayConfig, storage_refused

CITE = (
    "Yilun Du, Shuang Li, Joshua Tenenbaum, Igor Mordatch (2021). Improved contrastive divergence training of "
    "energy-based models. ICML. arXiv:2012.01316"
)

Weight = Annotated[float, Ge(0)]
Count = Annotated[int, Gt(0)]


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ReservoirConfig(ReplayConfig):
    """A uniform sample of all chains there ever were."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ImprovedCdConfig:
    """A KL term through the last moves of the sampler, and the entropy of where they end.

    Attributes:
        w_kl: weight of mean E(x) over the ends of chains, parameters held constant; 0 leaves the term out.
        w_ent: weight of the entropy, nats per unit of the log-distance; 0 leaves the term out.
        rows: chains that both terms look at, at most; published are 128 for colour and 32 for grey images.
        moves: last moves whose graph is kept; one as published, all of a sampler that makes fewer.
        reference: buffer rows among which the nearest neighbour is sought.
        fill: rows of the buffer that must hold chains before the entropy term begins; all of a smaller buffer.
        epsilon: added to the distance before the logarithm, data units.
        augment_reference: how the rows of reference are augmented, as published for images; the presets of `augment`.
        augment_strength: factor on the colour jitter of that preset.
    """

    w_kl: Weight = 1.0
    w_ent: Weight = 0.3
    rows: Count = 32
    moves: Annotated[int, Interval(gt=0, le=1_000_000)] = 1
    reference: Count = 100
    fill: Annotated[int, Ge(0)] = 1000
    epsilon: Annotated[float, Gt(0)] = 1e-4
    augment_reference: Literal["none", "gentle", "weak", "strong"] = "none"
    augment_strength: Annotated[float, Interval(ge=0, le=2)] = 1.0


def not_images(event_shape: tuple[int, ...]) -> str:
    """Returns why references of this shape cannot be augmented, or ""."""
    if len(event_shape) == 3 and event_shape[0] in (1, 3):
        return ""
    return (
        f"augment_reference is for grey or colour images, but a datum has shape {event_shape}. "
        'Set objective.improved-cd.augment_reference = "none".'
    )


def _refused(config: ImprovedCdConfig, selection: Selection) -> str:
    if not config.w_kl and not config.w_ent:
        return "w_kl and w_ent are both 0, so that it has no term. Leave it out, or set one of them."
    if config.augment_reference == "none":
        return ""
    if "level" in selection.coordinates:
        return 'a level noises x, so that rows cannot be augmented as images. Set augment_reference = "none".'
    if selection.event_shape is None:
        return ""
    return not_images(selection.event_shape)


def _needs(config: ImprovedCdConfig, selection: Selection) -> tuple[Need, ...]:
    needs = [Need("sampler.tail"), Need("objective.fit", default="cd")]
    if config.w_ent:
        needs.append(Need("buffer.rows", otherwise="set objective.improved-cd.w_ent = 0"))
    return tuple(needs)


@short_repr
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


def _multiscale_refused(config: MultiscaleConfig, selection: Selection) -> str:
    if selection.event_shape is None:
        return too_many_networks(config)
    return too_many_networks(config) or not_scalable(config, selection.event_shape)


COMPONENTS: tuple[Component, ...] = (
    Component(
        kind="objective",
        name="improved-cd",
        config=ImprovedCdConfig,
        build="ebmkit_improved_cd.objective:build_improved_cd",
        summary="draws the sampler's ends to low energy, through its last moves, and keeps them apart",
        cite=CITE,
        aliases=("improved", "improved-contrastive-divergence", "icd", "kl"),
        needs=_needs,
        includes=(
            Include("objective", "energy-l2", reason="the offset of the energy is free"),
            Include(
                "sampler",
                "augment",
                before="sampler.unadjusted",
                reason="chains are augmented before they move, so that they mix",
            ),
        ),
        refuse=_refused,
        benchmarks="ebmkit_improved_cd.benchmarks:workloads",
    ),
    Component(
        kind="buffer",
        name="reservoir",
        config=ReservoirConfig,
        build="ebmkit_improved_cd.reservoir:build_reservoir",
        summary="a uniform sample of all chains there ever were, each with its coordinates",
        cite=(
            "Jeffrey S. Vitter (1985). Random sampling with a reservoir. ACM Transactions on Mathematical Software; "
            f"{CITE}"
        ),
        gives=("buffer.rows",),
        refuse=storage_refused,
    ),
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
        refuse=_multiscale_refused,
    ),
)

RECIPES = Path(__file__).parent / "recipes"

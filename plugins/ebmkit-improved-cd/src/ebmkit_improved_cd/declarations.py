"""What this package offers: declarations and settings. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval

from ebmkit import Component, Include, Need, Selection
from ebmkit.buffers.declarations import ReplayConfig, storage_refused
from ebmkit_improved_cd.wrapper_parts import WRAPPERS

CITE = (
    "Du, Li, Tenenbaum, Mordatch, Improved contrastive divergence training of energy-based models, ICML 2021, "
    "arXiv:2012.01316"
)

Weight = Annotated[float, Ge(0)]
Count = Annotated[int, Gt(0)]


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
    moves: Count = 1
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


PARTS = (
    Component(
        kind="objective",
        name="improved-cd",
        config=ImprovedCdConfig,
        build="ebmkit_improved_cd.objective:build_improved_cd",
        summary="draws the sampler's ends to low energy, through its last moves, and keeps them apart",
        cite=CITE,
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
        config=ReplayConfig,
        build="ebmkit_improved_cd.reservoir:build_reservoir",
        summary="a uniform sample of all chains there ever were, each with its coordinates",
        cite=f"Vitter, Random sampling with a reservoir, ACM TOMS 1985, algorithm R; {CITE}",
        gives=("buffer.rows",),
        refuse=storage_refused,
    ),
)

COMPONENTS: tuple[Component, ...] = (*PARTS, *WRAPPERS)

RECIPES = Path(__file__).parent / "recipes"

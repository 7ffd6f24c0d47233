"""What the parts of CLEL are called and can be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from annotated_types import Gt, Interval, MinLen

from ebmkit import Component, Include, Need, Selection, short_repr

CITE = (
    "Hankook Lee, Jongheon Jeong, Sejun Park, Jinwoo Shin (2023). Guiding energy-based models via contrastive latent "
    "variables. ICLR. arXiv:2303.03023"
)

Width = Annotated[int, Gt(0)]
Positive = Annotated[float, Gt(0)]
USUAL_WIDTH: Mapping[str, int] = MappingProxyType({"resnet18": 64, "small": 32})


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class LatentHeadConfig:
    """The latent direction g(f(x)): a two-layer network without biases on the features of an energy.

    Attributes:
        latent: length D of a latent.
        hidden: width of the layer between features and latent.
        beta: strength β of a latent in the joint energy E(x) − β⟨g(f(x)), z⟩, nats.
        rows: rows of a pass when all levels of a point that holds a latent are asked for.
    """

    latent: Width = 128
    hidden: Width = 2048
    beta: Positive = 0.01
    rows: Width = 4096


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ClelConfig:
    """Guidance of an energy by the contrastive latents of its data.

    Attributes:
        beta: strength β of the guidance, nats; a latent head that comes along takes it over.
        tau: temperature τ of the contrastive loss; has nothing to do with that of the run.
        encoder: "resnet18" is the published one; "small" has four strided convolutions, for grey 28×28 on a CPU.
        width: channels of the encoder's first stage; unset: 64 for "resnet18", 32 for "small".
        target: "third-view" encodes a view of its own, as published; "first-view" takes one of the two contrastive
            views, which saves a third of the encoder's passes.
        preset: how strongly views are augmented; "strong" as published.
        weighting: "signal" weighs each datum's guidance by how much of it its point still holds; "none" does not.
        negative_keys: latents of the negatives serve as further keys of the contrastive loss.
        key_signal: least signal in [0, 1] of a negative that may serve.
        mean: of x, per channel or for all; subtracted first in the encoder.
        std: of x, per channel or for all; divided by.
    """

    beta: Positive = 0.01
    tau: Positive = 0.2
    encoder: Literal["resnet18", "small"] = "small"
    width: Width | None = None
    target: Literal["third-view", "first-view"] = "third-view"
    preset: Literal["strong", "weak"] = "strong"
    weighting: Literal["signal", "none"] = "signal"
    negative_keys: bool = True
    key_signal: Annotated[float, Interval(ge=0, le=1)] = 0.5
    mean: Annotated[tuple[float, ...], MinLen(1)] = (0.5,)
    std: Annotated[tuple[Positive, ...], MinLen(1)] = (0.5,)

    def settled(self, selection: Selection) -> ClelConfig:
        """Returns the config with the width decided."""
        return replace(self, width=self.width or USUAL_WIDTH[self.encoder])


def not_images(event_shape: tuple[int, ...]) -> str:
    """Returns why contrastive views cannot be made of data of this shape, or ""."""
    if len(event_shape) == 3 and event_shape[0] in (1, 3):
        return ""
    return (
        f"its contrastive views are augmented images [1 or 3, height, width], but a datum has shape {event_shape}. "
        "Choose a set of grey or colour images, or another objective."
    )


def _refused(config: ClelConfig, selection: Selection) -> str:
    return not_images(selection.event_shape) if selection.event_shape is not None else ""


def _needs(config: ClelConfig, selection: Selection) -> tuple[Need, ...]:
    return (
        Need("energy.half-squared-norm", config={"head": "half-squared-norm"}),
        Need("energy.latent", default="latent-head", config={"beta": config.beta}),
        Need("objective.fit", default="cd"),
    )


COMPONENTS = (
    Component(
        kind="wrapper",
        name="latent-head",
        config=LatentHeadConfig,
        build="ebmkit_clel.latent_head:build_latent_head",
        summary="a latent direction beside an energy, and the energy of (x, latent); the energy of x stays as it is",
        cite=CITE,
        needs=(Need("energy.features"),),
        gives=("energy.latent",),
    ),
    Component(
        kind="objective",
        name="clel",
        config=ClelConfig,
        build="ebmkit_clel.objective:build_clel",
        summary="guides the energy by contrastive latents, which an encoder of its own learns beside it",
        cite=CITE,
        aliases=("contrastive-latents", "contrastive-latent", "latent-guidance"),
        needs=_needs,
        gives=("objective.encoder",),
        negatives=False,  # it uses them where there are some
        includes=(
            Include("objective", "energy-l2", reason="the offset of the energy is free"),
            Include(
                "sampler",
                "augment",
                before="sampler.unadjusted",
                reason="chains are augmented like the views before they move",
            ),
        ),
        optim={"use": "sgd", "lr": 0.03, "momentum": 0.9, "weight_decay": 5e-4, "schedule": "cosine"},
        refuse=_refused,
        benchmarks="ebmkit_clel.benchmarks:workloads",
    ),
)

RECIPES = Path(__file__).parent / "recipes"

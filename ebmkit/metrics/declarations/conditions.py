"""Declarations of the metrics of samples that were given something, and their settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from ebmkit.plugins.component import Component, Need, Selection
from ebmkit.plugins.short_repr import short_repr

LABEL = "label"
"""The coordinate by which a model is given a class; one without it is given the latent of a class."""

Op = Literal["and", "or", "not"]


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ConditionalConfig:
    """Settings of `conditional`.

    Attributes:
        features: a classifier over the classes of the data, as of `fd`.
        n: samples of all classes together; 0 for those of the evaluation.
        strength: of the latent of a class, β in nats; 0 for that of training.
    """

    features: str = ""
    n: Annotated[int, Ge(0)] = 0
    strength: Annotated[float, Ge(0)] = 0.0


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class CompositionConfig:
    """Settings of `composition`.

    Attributes:
        features: a classifier over the classes of the data, as of `fd`.
        pairs: of classes, "3+7" or "Coat+Bag"; none named, two that the seed chooses.
        ops: how the classes of a pair are composed.
        n: samples of each composition.
        weight: of the class that "not" takes away.
        strength: of the latent of a class, β in nats; 0 for that of training. Labels have none.
    """

    features: str = ""
    pairs: tuple[str, ...] = ()
    ops: tuple[Op, ...] = ("and", "or", "not")
    n: Annotated[int, Gt(1)] = 100
    weight: Annotated[float, Gt(0)] = 0.5
    strength: Annotated[float, Ge(0)] = 0.0


CLASSIFIED = (
    Need("data.images", otherwise="The classifier is of images: leave this metric out"),
    Need("data.labels", otherwise="There are no classes to ask for: leave this metric out"),
)

HOW = "A class is given as a label or a latent: train with --coordinate label, or with --objective clel"


def composable(config: object, selection: Selection) -> tuple[Need, ...]:
    """Returns what a model must have for its classes to be composed: a label, or a latent and an encoder."""
    if LABEL in selection.coordinates:
        return CLASSIFIED
    return (*CLASSIFIED, Need("energy.latent", otherwise=HOW), Need("objective.encoder", otherwise=HOW))


COMPONENTS: tuple[Component, ...] = (
    Component(
        kind="metric",
        name="conditional",
        config=ConditionalConfig,
        build="ebmkit.metrics.conditional:build_conditional",
        summary="whether samples that are given a class show it, class by class, by a classifier",
        needs=(*CLASSIFIED, Need("given.class", otherwise=HOW)),
        cite=(
            "Suman Ravuri, Oriol Vinyals (2019). Classification accuracy score for conditional generative models. "
            "NeurIPS. arXiv:1905.10887"
        ),
    ),
    Component(
        kind="metric",
        name="composition",
        config=CompositionConfig,
        build="ebmkit.metrics.composition:build_composition",
        summary="whether samples of two classes composed by and, or, not show each of them, by a classifier",
        needs=composable,
        cite=(
            "Yilun Du, Shuang Li, Igor Mordatch (2020). Compositional visual generation with energy based models. "
            "NeurIPS. arXiv:2004.06030"
        ),
    ),
)

"""What this package offers: declarations and settings. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt

from ebmkit import Component, Need, Selection, short_repr

CITE = (
    "Will Grathwohl, Kuan-Chieh Wang, Jörn-Henrik Jacobsen, David Duvenaud, Mohammad Norouzi, Kevin Swersky (2020). "
    "Your classifier is secretly an energy based model and you should treat it like one. ICLR. arXiv:1912.03263"
)

LABEL = "label"

OWN_NETWORK = "give a network of your own the abilities 'energy' and 'logits' (see the README), then it needs no head"


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class LogitHeadConfig:
    """E(x) = −log Σ_y exp f(x)[y]: one logit f(x)[y] for each class, a linear map of the features of an energy.

    The energy of the backbone itself is not used, its features are.
    """


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class JemConfig:
    """weight · mean −log p(y | x), beside contrastive divergence of E(x) = −log Σ_y exp f(x)[y].

    Attributes:
        weight: of the cross-entropy. With 1, as published, both losses together are −log p(x, y) at temperature 1.
    """

    weight: Annotated[float, Gt(0)] = 1.0


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationConfig:
    """Settings of `calibration`.

    Attributes:
        bins: of equal width in the confidence, over which the calibration error is taken; published are 20.
        resamples: of the bootstrap of the errors.
    """

    bins: Annotated[int, Gt(0)] = 20
    resamples: Annotated[int, Ge(2)] = 200


def _jem_refused(config: JemConfig, selection: Selection) -> str:
    if LABEL not in selection.coordinates:
        return ""
    return (
        "its chains hold a class (coordinate label), so that contrastive divergence is that of p(x, y) and has the "
        "cross-entropy in it already. Leave the coordinate out, samples are given a class without it; or take "
        "--wrapper logit-head --objective cd."
    )


COMPONENTS: tuple[Component, ...] = (
    Component(
        kind="wrapper",
        name="logit-head",
        config=LogitHeadConfig,
        build="ebmkit_jem.logit_head:build_logit_head",
        summary="logits of the classes beside an energy, which becomes −log of the sum of their exponentials",
        cite=CITE,
        needs=(Need("energy.features", otherwise=OWN_NETWORK),),
        gives=("energy.logits", "energy.labels", "energy.levels.label"),
        hides=(
            "energy.condition",
            "energy.half-squared-norm",
            "energy.latent",
            "energy.levels.level",
            "energy.recovery",
        ),
    ),
    Component(
        kind="objective",
        name="jem",
        config=JemConfig,
        build="ebmkit_jem.objective:build_jem",
        summary="cross-entropy of p(y given x) beside contrastive divergence: one network classifies and generates",
        cite=CITE,
        aliases=("joint-energy-model", "hybrid"),
        needs=(
            Need("energy.logits", default="logit-head"),
            Need("objective.fit", default="cd"),
        ),
        negatives=False,  # cd has them
        refuse=_jem_refused,
    ),
    Component(
        kind="metric",
        name="calibration",
        config=CalibrationConfig,
        build="ebmkit_jem.calibration:build_calibration",
        summary="accuracy and expected calibration error of the model's own classes, and how sure it is of samples",
        cite=(
            f"{CITE}; Chuan Guo, Geoff Pleiss, Yu Sun, Kilian Q. Weinberger (2017). On calibration of modern neural "
            "networks. ICML. arXiv:1706.04599"
        ),
        needs=(
            Need("data.labels", otherwise="There is nothing to be right about: leave this metric out"),
            Need("energy.logits", otherwise="Train with --objective jem, which brings a head of logits"),
        ),
    ),
)

RECIPES = Path(__file__).parent / "recipes"

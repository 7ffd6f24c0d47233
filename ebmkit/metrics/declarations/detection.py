"""What is offered to judge detection of out-of-distribution data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from ebmkit.errors import RecipeError, did_you_mean
from ebmkit.plugins.component import Component, Selection
from ebmkit.plugins.short_repr import short_repr

SET_NAMES = ("uniform-noise", "constants", "patch-shuffled", "permuted-coordinates")
"""Sets that need no files."""

SCORE_NAMES = (
    "energy", "level-0", "energy/T", "latent-joint", "level-marginal", "level-ratio", "gradient-norm", "typicality",
    "feature-distance", "input-distance",
)  # fmt: skip
"""Values of an x that are to be higher out of distribution."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class OodConfig:
    """Settings of `ood`.

    Attributes:
        sets: out-of-distribution data, as in `--data NAME:ARGUMENT`, or built-in: "uniform-noise", "constants" (a
            random grey or colour each), "patch-shuffled" (held-out images, their 4×4 patches in a random order),
            "permuted-coordinates" (held-out data, each entry from a datum of its own). None named: those that suit x.
        scores: "energy", "energy/T", "latent-joint", "level-0", "level-marginal", "level-ratio", "gradient-norm",
            "typicality", "feature-distance", "input-distance" (a baseline without the model); none named: all that the
            run has, of two that order data alike one.
        beta: of the joint energy E(x) − β·cos(h(x), g(f(x))), nats; .1 is that of the published test, training has .01.
        resamples: of the bootstrap of the errors.
    """

    sets: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    beta: Annotated[float, Ge(0)] = 0.1
    resamples: Annotated[int, Ge(2)] = 200


def _refused(config: OodConfig, selection: Selection) -> str:
    """Returns what is wrong with the names of sets and scores: told before anything is measured.

    Raises:
        RecipeError: there is no data set of a name.
    """
    from ebmkit.plugins.host import host
    from ebmkit.recipes.data_part import data_part  # with the recipes comes pydantic, a third of a second

    for text in config.sets:
        try:
            text in SET_NAMES or data_part(text, host())
        except RecipeError as error:
            hint = did_you_mean(text, SET_NAMES)
            raise RecipeError(f"{error} Built in are {', '.join(SET_NAMES)}.{hint}") from error
    unknown = [name for name in config.scores if name not in SCORE_NAMES]
    if unknown:
        return (
            f"there is no score '{unknown[0]}'; known: {', '.join(SCORE_NAMES)}.{did_you_mean(unknown[0], SCORE_NAMES)}"
        )
    return ""


COMPONENTS: tuple[Component, ...] = (
    Component(
        kind="metric",
        name="ood",
        config=OodConfig,
        build="ebmkit.metrics.ood:build_ood",
        summary="how well energies and other values tell data from other sets: AUROC, AUPR, FPR95",
        refuse=_refused,
        aliases=("auroc", "aupr", "fpr95", "outlier", "anomaly", "novelty"),
        cite=(
            "Dan Hendrycks, Kevin Gimpel (2017). A baseline for detecting misclassified and out-of-distribution "
            "examples in neural networks. ICLR. arXiv:1610.02136; "
            "Shiyu Liang, Yixuan Li, R. Srikant (2018). Enhancing the reliability of out-of-distribution image "
            "detection in neural networks. ICLR. arXiv:1706.02690; "
            "Yilun Du, Igor Mordatch (2019). Implicit generation and modeling with energy-based models. NeurIPS. "
            "arXiv:1903.08689; "
            "Eric Nalisnick, Akihiro Matsukawa, Yee Whye Teh, Balaji Lakshminarayanan (2019). Detecting "
            "out-of-distribution inputs to deep generative models using typicality. arXiv:1906.02994; "
            "Will Grathwohl, Kuan-Chieh Wang, Jörn-Henrik Jacobsen, David Duvenaud, Mohammad Norouzi, Kevin Swersky "
            "(2020). Your classifier is secretly an energy based model and you should treat it like one. ICLR. "
            "arXiv:1912.03263; "
            "Kimin Lee, Kibok Lee, Honglak Lee, Jinwoo Shin (2018). A simple unified framework for detecting "
            "out-of-distribution samples and adversarial attacks. NeurIPS. arXiv:1807.03888"
        ),
    ),
)

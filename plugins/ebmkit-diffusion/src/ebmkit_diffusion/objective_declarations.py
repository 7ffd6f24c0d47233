"""The objectives of this package: declarations and settings. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt

from ebmkit import Component, Need, Selection, short_repr

CITE = (
    "Xinwei Zhang, Zhiqiang Tan, Zhijian Ou (2023). Persistently trained, diffusion-assisted energy-based models. "
    "Stat. arXiv:2304.10707"
)

LEVEL = Need("point.level", default="level")
LEVELS = Need("energy.levels.level", default="level-head")


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class CdLevelsConfig:
    """Contrastive divergence with the level of the negatives summed out. Nothing to set."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class LevelClassificationConfig:
    """weight · mean −log p(t | x_t): which level a noised datum is at, by the energies of all levels.

    Attributes:
        weight: of the loss.
        among: levels that are compared, the true one and others at random; 0 for all of them.
        window: w ≥ 2 compares the w levels of a block that holds the true one, whose offset is random; 0 for all.
    """

    weight: Annotated[float, Gt(0)] = 1.0
    among: Annotated[int, Ge(0)] = 0
    window: Annotated[int, Ge(0)] = 0


def _among_refused(config: LevelClassificationConfig, selection: Selection) -> str:
    for name in ("among", "window"):
        if getattr(config, name) == 1:
            return f"{name} = 1 leaves nothing to compare: set 0 for all levels, or 2 or more."
    if config.among and config.window:
        return (
            f"among = {config.among} takes levels from anywhere, window = {config.window} near ones: set one of them."
        )
    return ""


COMPONENTS: tuple[Component, ...] = (
    Component(
        kind="objective",
        name="cd-levels",
        config=CdLevelsConfig,
        build="ebmkit_diffusion.cd_levels:build_cd_levels",
        summary="contrastive divergence with the level of the negatives summed out: same gradient, less variance",
        cite=CITE,
        needs=(LEVELS, LEVEL, Need("draws.level")),
        gives=("objective.fit",),
    ),
    Component(
        kind="objective",
        name="level-classification",
        config=LevelClassificationConfig,
        build="ebmkit_diffusion.level_classification:build_level_classification",
        summary="tells the noise level of data by the energies of all levels; no chains",
        cite=(
            "Shahar Yadin, Noam Elata, Tomer Michaeli (2024). Classification diffusion models: revitalizing density "
            "ratio estimation. NeurIPS. arXiv:2402.10095; RuiKang OuYang, Louis Grenioux, José Miguel "
            "Hernández-Lobato (2026). Diffusive classification loss for learning energy-based generative models. "
            "arXiv:2601.21025; Rishal Aggarwal, Jacky Chen, Nicholas M. Boffi, David Ryan Koes (2025). BoltzNCE: "
            "learning likelihoods for Boltzmann generation with stochastic interpolants and noise contrastive "
            "estimation. NeurIPS. arXiv:2507.00846"
        ),
        needs=(LEVELS, LEVEL),
        gives=("objective.fit",),
        negatives=False,
        refuse=_among_refused,
    ),
)

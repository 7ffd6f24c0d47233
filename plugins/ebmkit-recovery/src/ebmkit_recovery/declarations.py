"""What this package offers: declarations and settings. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval

from ebmkit import Component, Include, Need, SamplerTraits, Selection, short_repr
from ebmkit_recovery.ladder import Ladder, ladder

CITE = (
    "Ruiqi Gao, Yang Song, Ben Poole, Ying Nian Wu, Diederik P. Kingma (2021). Learning energy-based models by "
    "diffusion recovery likelihood. ICLR. arXiv:2012.08125"
)

LEVEL, ANCHOR = "recovery-level", "anchor"
"""Names of the coordinates, and their keys in `Point.aux`."""

Positive = Annotated[float, Gt(0)]
Count = Annotated[int, Gt(0)]

OF_LEVEL = Need(f"point.{LEVEL}", default=LEVEL)
OF_ANCHOR = Need(f"point.{ANCHOR}", default=ANCHOR)
OF_ENERGY = Need("energy.recovery", default="recovery")


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class RecoveryLevelConfig:
    """Which step of a ladder of noise levels a row stands on. Levels are drawn evenly.

    Attributes:
        noise_levels: T, steps of the ladder; 6 as published.
        spacing: of the steps on a linear schedule of 1,000: "published", evenly over its first half and one step over
            the second, or "even".
        smooth: s.d. of the noise that data are given before anything else, data units (images: scaled to [−1, 1]).
    """

    noise_levels: Annotated[int, Interval(ge=1, le=200)] = 6
    spacing: Literal["published", "even"] = "published"
    smooth: Annotated[float, Ge(0)] = 0.01

    def ladder(self) -> Ladder:
        """Returns the ladder."""
        return ladder(self.noise_levels, self.smooth, self.spacing)


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class AnchorConfig:
    """The noisier x̃ from which a row is to be recovered. Nothing to set."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class RecoveryConfig:
    """E(y, t) + T‖y − x̃‖²/2σ_t², by a backbone that hears the level t; at level 0 the energy of data, E(a_1 x, 1).

    Attributes:
        conditioning: length of the learned vector of each level that every block of the backbone hears.
        base: "none", or "gaussian": the energy of y for Gaussian data is added to E(y, t), to start from.
        base_mean: mean of these data, data units (images: scaled to [−1, 1]).
        base_sd: s.d. of these data, data units.
    """

    conditioning: Count = 128
    base: Literal["none", "gaussian"] = "none"
    base_mean: float = 0.0
    base_sd: Positive = 0.5


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class DiffusionRecoveryConfig:
    """weight · mean w_t (E⁺ − E⁻): the gradient of −log p(y given x̃) at every level t, T times.

    Attributes:
        weight: of the loss.
        levels: w_t: "sigma", σ_1/σ_t as published, or "equal", 1.
    """

    weight: Positive = 1.0
    levels: Literal["sigma", "equal"] = "sigma"


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class AnchoredConfig:
    """Chains that start at their anchor. Nothing to set."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class RecoveryLangevinConfig:
    """Unadjusted Langevin moves y ← y − (b²/2)∇E/T + bξ, whose steps go with the noise of the level.

    Attributes:
        moves: K, moves per transition.
        step_size: b/σ_1 at level 1; at level t, b_t² = step_size²·σ_t²·s_{t−1}/.01, s the s.d. of all noise in x_{t−1},
            at least .01. The published one is √2e-4. Without levels, b itself, data units.
    """

    moves: Count = 30
    step_size: Positive = 0.01414


TRAITS = SamplerTraits(bias_order=1)


def _conditioned_needs(config: RecoveryConfig, selection: Selection) -> tuple[Need, ...]:
    return (Need("energy.condition", config={"conditioning": config.conditioning}), OF_LEVEL, OF_ANCHOR)


COMPONENTS: tuple[Component, ...] = (
    Component(
        kind="coordinate",
        name=LEVEL,
        config=RecoveryLevelConfig,
        build="ebmkit_recovery.level:build_level",
        summary="step of a ladder of noise levels; no sampler moves it, samples go down it one step a transition",
        cite=CITE,
        needs=(OF_ENERGY,),
        gives=("point.noised", "point.discrete"),
    ),
    Component(
        kind="coordinate",
        name=ANCHOR,
        config=AnchorConfig,
        build="ebmkit_recovery.anchor:build_anchor",
        summary="the noisier x that a chain is to recover x from",
        cite=CITE,
        needs=(OF_LEVEL,),
    ),
    Component(
        kind="wrapper",
        name="recovery",
        config=RecoveryConfig,
        build="ebmkit_recovery.recovery:build_recovery",
        summary="energy of x given its anchor, E(y, t) + ‖y − x̃‖²/2σ²; without noise, that of data",
        cite=CITE,
        needs=_conditioned_needs,
        gives=("energy.recovery",),
        hides=(
            "energy.half-squared-norm",
            "energy.latent",
            "energy.logits",
            "energy.levels.label",
            "energy.levels.level",
        ),
    ),
    Component(
        kind="buffer",
        name="anchored",
        config=AnchoredConfig,
        build="ebmkit_recovery.anchored:build_anchored",
        summary="chains start at their anchor, and are not kept",
        cite=CITE,
    ),
    Component(
        kind="sampler",
        name="recovery-langevin",
        config=RecoveryLangevinConfig,
        build="ebmkit_recovery.langevin:build_langevin",
        summary="unadjusted Langevin moves whose steps go with the noise of the level, as published",
        cite=CITE,
        traits=TRAITS,
    ),
    Component(
        kind="objective",
        name="diffusion-recovery",
        config=DiffusionRecoveryConfig,
        build="ebmkit_recovery.objective:build_diffusion_recovery",
        summary="likelihood of x given x with more noise, at every step of a ladder; chains are short and start there",
        cite=CITE,
        aliases=("recovery-likelihood", "drl", "diffusion-recovery-likelihood"),
        needs=(OF_ENERGY, OF_ANCHOR, OF_LEVEL),
        gives=("objective.fit",),
        includes=(Include("buffer", "anchored", reason="chains start at the noisier x"),),
    ),
)

RECIPES = Path(__file__).parent / "recipes"

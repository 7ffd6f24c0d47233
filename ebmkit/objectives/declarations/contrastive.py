"""What core's objectives are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import Annotated

from annotated_types import Ge, Gt, Interval

from ebmkit.plugins.component import Component, Selection
from ebmkit.plugins.numbers import Positive
from ebmkit.plugins.short_repr import short_repr

Share = Annotated[float, Interval(ge=0, lt=1)]


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class CdConfig:
    """Contrastive divergence: weight · (mean E⁺ − mean E⁻).

    A trimmed mean leaves out chains that are far from the others, as one that fell into a deep narrow mode. It is
    biased: at its fixed point the model that is not trimmed is not p_data. Without the highest share q it is too wide,
    without the lowest too narrow: for a Gaussian in the plane the variance is 1/(1 − q log(1/q)/(1 − q)) of the data's,
    or 1/(1 − log(1 − q)): at q = .1, 1.34 or .90 times as large; at q = .01, 1.05 or .99.

    Attributes:
        weight: of the loss.
        trim_highest: share of the chains, those of highest energy, that mean E⁻ leaves out; rounded down to chains.
            Where a discrete coordinate noises x, of the chains at each of its values.
        trim_lowest: the same of those of lowest energy.
        level_weights: one number for each value of the discrete coordinate that noises x, as a noise level: the weight
            of rows with that value, in both means. None: 1 each. The fixed point stays p_data.
    """

    weight: Positive = 1.0
    trim_highest: Share = 0.0
    trim_lowest: Share = 0.0
    level_weights: tuple[Annotated[float, Ge(0)], ...] = ()


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class EnergyL2Config:
    """α·mean(E⁺² + E⁻²), in nats²; where a discrete coordinate noises x, the energies of each of its
    values are taken from their own mean.

    Attributes:
        alpha: weight α, per nat.
    """

    alpha: Annotated[float, Gt(0)] = 1.0


def largest_alpha(d: int) -> float:
    """Returns the largest αT at which a Gaussian in d dimensions still has a fixed point at T = 1.

    For unit-variance data and a free offset: ½/(√(2d+8) − 2), and 2/(d + 4) for d < 4.
    """
    return 2 / (d + 4) if d < 4 else 0.5 / (sqrt(2 * d + 8) - 2)


def diverging(config: EnergyL2Config, temperature: float, event_shape: tuple[int, ...]) -> str:
    """Returns why the penalty cannot be used, "" where the model still has a fixed point."""
    bound = largest_alpha(prod(event_shape))
    if config.alpha * temperature <= bound:
        return ""
    return (
        f"with alpha = {config.alpha:g} at temperature {temperature:g} the variance of the model diverges: in "
        f"{prod(event_shape)} dimensions it does above alpha·T = {bound:.3g}. "
        f"Set objective.energy-l2.alpha = {bound / temperature / 2:.2g}, or leave it out."
    )


def _refused(config: EnergyL2Config, selection: Selection) -> str:
    return diverging(config, selection.temperature, selection.event_shape) if selection.event_shape else ""


def _skipped(config: EnergyL2Config, selection: Selection) -> str:
    if selection.temperature >= 0.1 or _refused(config, selection):
        return f"at temperature {selection.temperature:g} it makes the variance of the model diverge"
    return ""


def wrong_cd(config: CdConfig, selection: Selection) -> str:
    """Returns why a contrast cannot be weighted or trimmed as a config says, or ""."""
    if config.trim_lowest + config.trim_highest >= 1:
        return "trim_lowest and trim_highest leave out every chain: together they must be below 1."
    levels = [name for name in selection.noised if name in selection.discrete]
    if config.level_weights and len(levels) != 1:
        return (
            "level_weights weigh the values of a discrete coordinate that noises x, and this run has "
            f"{' and '.join(levels) or 'none'}: leave them out."
        )
    if config.level_weights and not any(config.level_weights):
        return "level_weights are all 0, so that nothing is learnt: set one of them above 0."
    return ""


COMPONENTS = (
    Component(
        kind="objective",
        name="cd",
        config=CdConfig,
        build="ebmkit.objectives.cd:build_cd",
        summary="contrastive divergence, mean E⁺ − mean E⁻; persistent (PCD) with buffer replay, CD-k with buffer data",
        cite=(
            "Geoffrey E. Hinton (2002). Training products of experts by minimizing contrastive divergence. Neural "
            "Computation; Tijmen Tieleman (2008). Training restricted Boltzmann machines using approximations to the "
            "likelihood gradient. ICML"
        ),
        gives=("objective.fit",),
        refuse=wrong_cd,
    ),
    Component(
        kind="objective",
        name="energy-l2",
        config=EnergyL2Config,
        build="ebmkit.objectives.energy_l2:build_energy_l2",
        summary="keeps energies near zero, α·mean(E⁺² + E⁻²)",
        cite=(
            "Yilun Du, Igor Mordatch (2019). Implicit generation and modeling with energy-based models. NeurIPS. "
            "arXiv:1903.08689"
        ),
        skip=_skipped,
        refuse=_refused,
    ),
)

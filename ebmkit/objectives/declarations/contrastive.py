"""What core's objectives are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import Annotated

from annotated_types import Gt

from ebmkit.plugins.component import Component, Selection
from ebmkit.plugins.short_repr import short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class CdConfig:
    """Contrastive divergence: mean E⁺ − mean E⁻. Nothing to set."""


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


COMPONENTS = (
    Component(
        kind="objective",
        name="cd",
        config=CdConfig,
        build="ebmkit.objectives.cd:build_cd",
        summary="contrastive divergence, mean E⁺ − mean E⁻; persistent (PCD) with a replay buffer",
        cite=(
            "Geoffrey E. Hinton (2002). Training products of experts by minimizing contrastive divergence. Neural "
            "Computation; Tijmen Tieleman (2008). Training restricted Boltzmann machines using approximations to the "
            "likelihood gradient. ICML"
        ),
        gives=("objective.fit",),
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

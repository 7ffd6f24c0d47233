"""A quadratic penalty that keeps the free offset of an energy, and its size, in hand."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from torch import Tensor

from ebmkit.components import BuildContext
from ebmkit.errors import CapabilityError
from ebmkit.objectives.parts import EnergyL2Config, largest_alpha
from ebmkit.phases import Phases
from ebmkit.protocols import Energy, Needs


class EnergyL2:
    """α·mean(E(x⁺)² + E(x⁻)²), nats² (Du, Mordatch, 2019, section 3.3)."""

    requires = Needs()

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns the penalty as "penalty"."""
        squares = phases.evaluate("positive").square().mean() + phases.evaluate("negative").square().mean()
        return {"penalty": self.alpha * squares}


def build_energy_l2(config: EnergyL2Config, context: BuildContext) -> EnergyL2:
    """Builds the objective; raises CapabilityError where α·T leaves the model without a fixed point."""
    bound = largest_alpha(prod(context.event_shape))
    if context.temperature >= 0.1 and config.alpha * context.temperature > bound:
        raise CapabilityError(
            f"energy-l2 with alpha = {config.alpha:g} at temperature {context.temperature:g}: in "
            f"{prod(context.event_shape)} dimensions the variance of the model diverges above alpha·T = {bound:.3g}. "
            f"Set objective.energy-l2.alpha = {bound / context.temperature / 2:.2g}, or leave it out."
        )
    return EnergyL2(config.alpha)

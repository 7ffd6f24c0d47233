"""A quadratic penalty that keeps the free offset of an energy, and its size, in hand."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.objectives.declarations.contrastive import EnergyL2Config, diverging
from ebmkit.ops.groups import joint_level
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.energy import Energy
from ebmkit.protocols.objective import Phases, Requires


class EnergyL2:
    """α·mean(E(x⁺)² + E(x⁻)²), nats² (Du, Mordatch, 2019, section 3.3).

    Where a discrete coordinate noises x, the energies of each of its values are taken from their own centre: the
    density of a value within the joint law is what its offset says, so a penalty on it would press the values to
    unequal shares.
    """

    requires = Requires()

    def __init__(self, alpha: float, levels: Mapping[str, int] | None = None) -> None:
        self.alpha = alpha
        self.levels = dict(levels or {})

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns the penalty as "penalty"."""
        positive, negative = phases.evaluate("positive"), phases.evaluate("negative")
        if self.levels and phases.negative is not None:
            above, below = (joint_level(point, self.levels) for point in (phases.positive, phases.negative))
            energies = phases.joined(positive.detach()), phases.joined(negative.detach())
            centre = level_means(*energies, phases.joined(above), phases.joined(below), prod(self.levels.values()))
            positive, negative = positive - centre[above], negative - centre[below]
        return {"penalty": self.alpha * (positive.square().mean() + negative.square().mean())}


def level_means(
    positive: Tensor, negative: Tensor, level_positive: Tensor, level_negative: Tensor, n_levels: int
) -> Tensor:
    """Returns c [L], the offset of each level t under which mean squares of E⁺ − c_t and E⁻ − c_t add up to least.

    That is the mean over the level's rows of both phases, each row weighing one over the rows of its phase. Being the
    minimum, it has no gradient of its own: whether one is let through c makes no difference. A level that one row has
    takes that row's energy, so that it weighs nothing.

    Args:
        positive: E⁺ [N], nats.
        negative: E⁻ [M], nats.
        level_positive: t of the positive [N].
        level_negative: t of the negative [M].
        n_levels: t is below it.

    >>> up, down = torch.tensor([1.0, 9.0]), torch.tensor([3.0, 9.0])
    >>> level_means(up, down, torch.tensor([0, 1]), torch.tensor([0, 1]), 2)
    tensor([2., 9.])
    """
    values, level = torch.cat([positive, negative]).detach(), torch.cat([level_positive, level_negative])
    weight = torch.cat([torch.full_like(e, 1 / len(e), requires_grad=False) for e in (positive, negative)])
    total = torch.zeros(n_levels, device=values.device, dtype=values.dtype)
    return total.index_add(0, level, weight * values) / total.index_add(0, level, weight).clamp(min=1e-12)


def build_energy_l2(config: EnergyL2Config, context: BuildContext) -> EnergyL2:
    """Builds the objective; raises CapabilityError where α·T leaves the model without a fixed point."""
    wrong = diverging(config, context.temperature, context.event_shape)
    if wrong:
        raise CapabilityError(f"energy-l2 cannot be used here: {wrong}")
    levels = {c.name: c.n_values for c in context.coordinates if c.noises_x and c.n_values is not None}
    return EnergyL2(config.alpha, levels)

"""Contrastive divergence."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.objectives.declarations.contrastive import CdConfig, wrong_cd
from ebmkit.ops.groups import joint_level, trimmed_weights
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy
from ebmkit.protocols.objective import Phases, Requires
from ebmkit.protocols.traits import ObjectiveTraits


class ContrastiveDivergence:
    """mean E(x⁺) − mean E(x⁻), nats; where x⁻ ~ p its gradient is that of −log-likelihood (Hinton, 2002, eq. 5).

    At temperature T the gradient is T times that.

    Which of the published methods it is, the buffer decides. With `replay` the chains go on from step to step: this is
    persistent contrastive divergence (PCD; Tieleman, 2008). With `none` they start anew from the prior: short-run
    training. With `data` they start at the data of the step: k moves make CD-k (Hinton's own).

    What weights and trimmed means are, `CdConfig` says. A trimmed mean is no contrast: between equals it is not 0.
    """

    requires = Requires()

    def __init__(self, config: CdConfig, levels: Mapping[str, int] | None = None) -> None:
        self.config, self.levels = config, dict(levels or {})
        self.trims = bool(config.trim_lowest or config.trim_highest)
        self.traits = ObjectiveTraits(contrasts=frozenset() if self.trims else {"gap"})

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns the difference of the mean energies as "gap"."""
        above, below = phases.evaluate("positive"), phases.evaluate("negative")
        if self.config.level_weights and phases.negative is not None:
            above, below = self._weighted(above, phases.positive), self._weighted(below, phases.negative)
        if self.trims and phases.negative is not None:
            below = self._kept(phases, phases.negative) * below
        return {"gap": self.config.weight * (above.mean() - below.mean())}

    def _weighted(self, energies: Tensor, point: Point) -> Tensor:
        weights = torch.tensor(self.config.level_weights, device=energies.device, dtype=energies.dtype)
        return weights[joint_level(point, self.levels)] * energies

    def _kept(self, phases: Phases, negative: Point) -> Tensor:
        """Returns the weights [B] of chains in their trimmed mean, among those of all processes."""
        energies, level = phases.evaluate("negative").detach(), joint_level(negative, self.levels)
        return trimmed_weights(
            energies,
            level,
            phases.joined(energies),
            phases.joined(level),
            lowest=self.config.trim_lowest,
            highest=self.config.trim_highest,
            n_groups=prod(self.levels.values()),
        )


def build_cd(config: CdConfig, context: BuildContext) -> ContrastiveDivergence:
    """Builds the objective; raises CapabilityError where weights or shares do not fit the coordinates of the run."""
    wrong = wrong_cd(config, context.selection())
    levels = {c.name: c.n_values for c in context.coordinates if c.noises_x and c.n_values is not None}
    n = prod(levels.values())
    if config.level_weights and not wrong and len(config.level_weights) != n:
        wrong = f"level_weights has {len(config.level_weights)} numbers, and {next(iter(levels))} has {n} values."
    if wrong:
        raise CapabilityError(f"cd cannot be used here: {wrong}")
    return ContrastiveDivergence(config, levels)

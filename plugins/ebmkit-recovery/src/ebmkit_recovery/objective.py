"""Diffusion recovery likelihood."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ebmkit import BuildContext, Energy, ObjectiveTraits, Phases, Requires
from ebmkit_recovery.anchor import level_of_ladder
from ebmkit_recovery.declarations import LEVEL, DiffusionRecoveryConfig


class DiffusionRecovery:
    """mean w_t E(y⁺, t) − mean w_t E(y⁻, t), nats, y⁻ ~ p(y given x̃) from the same anchors x̃.

    Its gradient is T times that of −Σ_t w_t log p(y given x̃), whose maximum over all E has exp(−E(·, t)/T) as the law
    of y itself, without x̃: a conditional density is learnt, and a marginal one comes out.

    Source: Gao et al. (2021), eq. 11 and algorithm 1.
    """

    requires = Requires()
    traits = ObjectiveTraits(contrasts={"gap"})

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns the weighted difference of the mean energies as "gap"."""
        assert phases.negative is not None
        above = self.weights[phases.positive.aux[LEVEL]] * phases.evaluate("positive")
        below = self.weights[phases.negative.aux[LEVEL]] * phases.evaluate("negative")
        return {"gap": above.mean() - below.mean()}


def build_diffusion_recovery(config: DiffusionRecoveryConfig, context: BuildContext) -> DiffusionRecovery:
    """Builds the objective; raises CapabilityError where the run has no ladder."""
    sds = level_of_ladder(context, "diffusion-recovery").sds
    relative = sds[1] / sds.clamp(min=float(sds[1]))  # no row of training is at level 0
    return DiffusionRecovery(config.weight * (relative if config.levels == "sigma" else torch.ones_like(sds)))

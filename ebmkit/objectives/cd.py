"""Contrastive divergence."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ebmkit.objectives.declarations.contrastive import CdConfig
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.energy import Energy
from ebmkit.protocols.objective import Phases, Requires
from ebmkit.protocols.traits import ObjectiveTraits


class ContrastiveDivergence:
    """mean E(x⁺) − mean E(x⁻), nats; where x⁻ ~ p its gradient is that of −log-likelihood (Hinton, 2002, eq. 5).

    At temperature T the gradient is T times that.

    Which of the published methods it is, the buffer decides. With `replay` the chains go on from step to step: this is
    persistent contrastive divergence (PCD; Tieleman, 2008). With `none` they start anew from the prior: short-run
    training. CD-k, k moves from the data of the step (Hinton's own), wants a buffer that starts chains at the data.
    """

    requires = Requires()
    traits = ObjectiveTraits(contrasts={"gap"})

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns the difference of the mean energies as "gap"."""
        return {"gap": phases.evaluate("positive").mean() - phases.evaluate("negative").mean()}


def build_cd(config: CdConfig, context: BuildContext) -> ContrastiveDivergence:
    """Builds the objective."""
    return ContrastiveDivergence()

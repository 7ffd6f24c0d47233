"""Contrastive divergence with the level of the negatives summed out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ebmkit import BuildContext, CapabilityError, Energy, Phases, Requires, abilities_of, values_of
from ebmkit_diffusion.level_conditioned import LEVELS
from ebmkit_diffusion.level_head import LevelHead
from ebmkit_diffusion.objective_declarations import CdLevelsConfig


def expected_energy(levels: Tensor, temperature: float) -> Tensor:
    """Returns Σ_t p(t | x) E(x, t) [B], nats, p(t | x) = softmax(−E(x, ·)/T) held constant.

    Its gradient in the parameters is the expectation of that of E(x, t) over t ~ p(t | x).

    Args:
        levels: E(x, ·) [B, L], nats, with the graph of the parameters.
        temperature: T, nats.
    """
    chance = torch.softmax(-levels.detach() / temperature, dim=1)
    return (chance * levels).sum(dim=1)


class CdLevels:
    """mean E(x⁺, t⁺) − mean Σ_t p(t | x⁻) E(x⁻, t), nats: `cd`, Rao-Blackwellised over the level of the negatives.

    Where the last draw of a transition is that of the level, its gradient given x⁻ is the mean of that of `cd`. It
    needs the energies of x⁻ at all levels with their graph: free with `level-head`, T + 1 passes with
    `level-conditioned`.
    """

    def __init__(self, *, temperature: float, shared_pass: bool) -> None:
        self.temperature, self.shared_pass = temperature, shared_pass
        self.requires = Requires(abilities=frozenset({"energy", LEVELS} if shared_pass else {"energy"}))

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns the difference of the mean energies as "gap"."""
        assert phases.negative is not None
        if self.shared_pass:
            levels = phases.evaluate("negative", LEVELS)
        else:  # of the negatives alone: asked of the phases, the positives would be swept as well
            levels = values_of(energy, phases.negative, LEVELS)[LEVELS]
        return {"gap": phases.evaluate("positive").mean() - expected_energy(levels, self.temperature).mean()}


def build_cd_levels(config: CdLevelsConfig, context: BuildContext) -> CdLevels:
    """Builds the objective; raises CapabilityError where the energy does not give all levels."""
    if context.inner is not None and LEVELS not in abilities_of(context.inner):
        raise CapabilityError(
            "cd-levels sums over levels, but the energy does not give them: add --wrapper level-head."
        )
    return CdLevels(temperature=context.temperature, shared_pass=_has_level_head(context.inner))


def _has_level_head(energy: object) -> bool:
    """Whether all levels cost one pass: somewhere inside the wrappers there is a level head."""
    return isinstance(energy, nn.Module) and any(isinstance(module, LevelHead) for module in energy.modules())

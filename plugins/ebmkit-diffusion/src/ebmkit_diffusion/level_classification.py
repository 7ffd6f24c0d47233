"""Which level a noised datum is at: the part of the joint likelihood that needs no chains."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from ebmkit import BuildContext, CapabilityError, Energy, Phases, Requires, abilities_of
from ebmkit.samplers.gibbs import block
from ebmkit_diffusion.level import LEVEL
from ebmkit_diffusion.level_conditioned import LEVELS
from ebmkit_diffusion.objective_declarations import LevelClassificationConfig


def level_classification(levels: Tensor, level: Tensor, temperature: float) -> Tensor:
    """Returns mean −log p(t | x_t), p(t | x) = softmax(−E(x, ·)/T), nats.

    Args:
        levels: E(x_t, ·) [B, L], nats.
        level: t [B].
        temperature: T, nats.

    >>> level_classification(torch.tensor([[0.0, 0.0]]), torch.tensor([1]), 1.0)  # log 2: nothing tells them apart
    tensor(0.6931)
    """
    return functional.cross_entropy(-levels / temperature, level)


class LevelClassification:
    """−mean log p(t | x_t) of the joint density p(x, t) ∝ exp(−E(x, t)/T).

    With levels of equal mass, log p(x, t) = log p(t | x) + log p(x), and this is the first half. It sees what a score
    cannot: the mass of far modes beside each other, and the offsets of the levels. Alone it teaches little of the
    shape within a level: add `denoising-score-matching`.

    Among a few levels it is the contrastive loss over time of Aggarwal et al. (2025): of levels drawn anywhere, or near
    the true one, where they are hard to tell apart. Either choice of levels is as probable from each of them, so given
    the choice the true one still has the probability softmax(−E(x, ·)/T) among them: nothing has to be corrected. The
    published window moves with the true level, which is then always in its middle.

    Source: Yadin, Elata, Michaeli (2024), eq. 8; Aggarwal, Chen, Boffi, Koes (2025), section 3.2.
    """

    def __init__(self, config: LevelClassificationConfig, temperature: float) -> None:
        self.config, self.temperature = config, temperature
        self.requires = Requires(negatives=False, abilities=frozenset({"energy", LEVELS}))

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns "classification", nats."""
        levels, level = phases.evaluate("positive", LEVELS), phases.positive.aux[LEVEL]
        if self.config.window:
            levels, level = self._near(levels, level, phases)
        elif 0 < self.config.among < levels.shape[1]:
            levels, level = self._among(levels, level, phases)
        loss = level_classification(levels, level, self.temperature)
        return {"classification": self.config.weight * loss}

    def _near(self, levels: Tensor, level: Tensor, phases: Phases) -> tuple[Tensor, Tensor]:
        """Returns the energies [B, K] of a block of levels, infinite beyond the ends, and where the true one is."""
        n, width = levels.shape[1], min(self.config.window, levels.shape[1])
        offset = torch.randint(width, level.shape, generator=phases.rng("levels"), device=level.device)
        chosen = block(level, offset if width < n else torch.zeros_like(offset), width)
        present = (chosen >= 0) & (chosen < n)
        energies = levels.gather(1, chosen.clamp(0, n - 1)).where(present, levels.new_tensor(torch.inf))
        return energies, level - chosen[:, 0]

    def _among(self, levels: Tensor, level: Tensor, phases: Phases) -> tuple[Tensor, Tensor]:
        """Returns the energies [B, K] of the true level, first, and of others drawn without replacement."""
        chance = torch.rand(levels.shape, generator=phases.rng("levels"), device=levels.device)
        chance = chance.scatter(1, level[:, None], 2.0)
        chosen = chance.topk(self.config.among, dim=1).indices
        return levels.gather(1, chosen), torch.zeros_like(level)


def build_level_classification(config: LevelClassificationConfig, context: BuildContext) -> LevelClassification:
    """Builds the objective; raises CapabilityError where the energy does not give all levels."""
    if context.inner is not None and LEVELS not in abilities_of(context.inner):
        raise CapabilityError(
            "level-classification compares the energies of all levels, but the energy does not give them: add "
            "--wrapper level-head."
        )
    return LevelClassification(config, context.temperature)

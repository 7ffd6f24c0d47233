"""The kernel Stein discrepancy between data and a model that is known by its score."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ebmkit import BuildContext, CapabilityError, Energy, Phases, Requires
from ebmkit_stein.declarations import SteinConfig


def stein_kernel(x: Tensor, score: Tensor, length: float, exponent: float) -> Tensor:
    """Returns u(x_i, x_j) [B, B]: its mean over data of the model is 0 (Liu et al., 2016, theorem 3.6).

    u = s·s' k + s·∇'k + s'·∇k + tr ∇∇'k, with k = (c² + ‖x − x'‖²)^β.

    Args:
        x: [B, F], data units.
        score: s = −∇E [B, F], nats per data unit.
        length: c, data units.
        exponent: β.
    """
    square = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").square()
    base = length**2 + square
    kernel, slope = base**exponent, 2 * exponent * base ** (exponent - 1)  # ∇k = slope·(x − x') = −∇'k
    crossed, own = score @ x.T, (score * x).sum(1)
    across = crossed + crossed.T - own[:, None] - own[None]  # (s' − s)·(x − x')
    trace = -x.shape[1] * slope - 4 * exponent * (exponent - 1) * base ** (exponent - 2) * square
    return score @ score.T * kernel + across * slope + trace


def discrepancy(x: Tensor, score: Tensor, length: float, exponent: float) -> Tensor:
    """Returns the mean of u over pairs of different data: KSD² without bias (Liu et al., 2016, eq. 14)."""
    pairs = stein_kernel(x, score, length, exponent)
    return (pairs.sum() - pairs.diagonal().sum()) / (len(x) * (len(x) - 1))


class SteinDiscrepancy:
    """Its loss is KSD² of the batch, in nats² per data unit² to the power of the kernel."""

    requires = Requires(negatives=False, abilities=frozenset({"score"}), derivatives=2)

    def __init__(self, config: SteinConfig, context: BuildContext) -> None:
        if context.x_values != "real":
            raise CapabilityError(
                f"stein-discrepancy needs real x, and the data are {context.x_values}: a score is a derivative in x. "
                "Name another objective."
            )
        self.config = config

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns {"ksd": KSD² of data and model}."""
        x, score = phases.positive.x.flatten(1), phases.evaluate("positive", "score").flatten(1)
        found = discrepancy(x.detach(), score, self.config.length, self.config.exponent)
        return {"ksd": self.config.weight * found}


def build_stein(config: SteinConfig, context: BuildContext) -> SteinDiscrepancy:
    """Builds the objective."""
    return SteinDiscrepancy(config, context)

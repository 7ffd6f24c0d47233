"""Score matching without noise: sliced, and exact in few dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.objectives.declarations.score_matching import LARGEST_EXACT, SlicedScoreMatchingConfig
from ebmkit.ops.gradients import energy_and_gradient, leaf
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.energy import Energy
from ebmkit.protocols.objective import Phases, Requires


def score_matching(score: Tensor, x: Tensor, directions: Tensor) -> Tensor:
    """Returns mean_v vᵀ(∇S)v + ½‖S‖² [B], per squared data unit; its mean over data is least at their score.

    Args:
        score: S(x) [B, *event], with its graph in x.
        x: [B, *event].
        directions: v [N, B, *event]; ±1 at random, or √d times the d axes, which give the exact trace.

    Source: Hyvärinen (2005), theorem 1; Song et al. (2019), eq. 8 (with reduced variance).
    """
    traces = []
    for direction in directions:
        (product,) = torch.autograd.grad((score * direction).sum(), x, create_graph=True)
        traces.append((product * direction).flatten(1).sum(dim=1))
    trace: Tensor = torch.stack(traces).mean(dim=0)
    size: Tensor = score.flatten(1).square().sum(dim=1)
    return trace + size / 2


def axes(like: Tensor) -> Tensor:
    """Returns √d times each axis [d, B, *event], so that the mean over them is the trace."""
    d = prod(like.shape[1:])
    each: Tensor = d**0.5 * torch.eye(d, dtype=like.dtype, device=like.device)
    return each.view(d, 1, *like.shape[1:]).expand(d, *like.shape)


class SlicedScoreMatching:
    """mean vᵀ(∇S)v + ½‖S‖² at data, S = −∇E/T; three derivatives of the energy in a row.

    Source: Hyvärinen (2005); Song, Garg, Shi, Ermon (2019).
    """

    requires = Requires(negatives=False, abilities=frozenset(), derivatives=3)

    def __init__(self, projections: int, temperature: float) -> None:
        self.projections, self.temperature = projections, temperature

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns "score", per squared data unit."""
        point = leaf(phases.positive)
        _, gradient = energy_and_gradient(energy, point, graph=True)
        directions = self._directions(point.x, phases) if self.projections else axes(point.x)
        return {"score": score_matching(-gradient / self.temperature, point.x, directions).mean()}

    def _directions(self, x: Tensor, phases: Phases) -> Tensor:
        shape = (self.projections, *x.shape)
        signs = torch.randint(2, shape, generator=phases.rng("directions"), device=x.device)
        return (2 * signs - 1).to(x.dtype)


def build_sliced(config: SlicedScoreMatchingConfig, context: BuildContext) -> SlicedScoreMatching:
    """Builds the objective; raises CapabilityError where x is discrete, or has too many entries for the exact trace."""
    if context.x_values != "real":
        raise CapabilityError(f"sliced-score-matching takes gradients in x, but x of these data is {context.x_values}.")
    d = prod(context.event_shape)
    if not config.projections and d > LARGEST_EXACT:
        raise CapabilityError(f"projections = 0 takes {d} derivatives a step, one for each entry of x: set 1.")
    return SlicedScoreMatching(config.projections, context.temperature)

"""How long a vector an energy gives."""

from __future__ import annotations

import copy
from typing import Any

import torch

from ebmkit import BuildContext, Fresh, evaluate, stream


@torch.no_grad()
def length_of(energy: Any, ability: str, context: BuildContext) -> int:
    """Returns the last dimension of what an energy gives, from asking a copy of it about two fresh chains.

    A copy, because asking a module in training advances its power iterations.

    Raises:
        CapabilityError: the energy does not have the ability.
    """
    chains = Fresh(context)(2, stream(0, 0, "probe", context.device))
    return int(evaluate(copy.deepcopy(energy), chains, ability)[ability].shape[-1])

"""How long a vector an energy gives."""

from __future__ import annotations

import copy

import torch

from ebmkit.energies.heads import CONDITION
from ebmkit.plugins.context import BuildContext
from ebmkit.prior import Fresh
from ebmkit.protocols.energy import Energy, values_of
from ebmkit.rng import stream


@torch.no_grad()
def length_of(
    energy: Energy, ability: str, context: BuildContext, *, hidden: tuple[str, ...] = (), conditioning: int = 0
) -> int:
    """Returns the last dimension of what an energy gives, from asking a copy of it about two fresh chains.

    A copy, because asking a module in training advances its power iterations.

    Args:
        energy: asked.
        ability: "features" or "latent".
        context: of the run, for the chains.
        hidden: coordinates that the energy is not shown.
        conditioning: length of the conditioning vector that the energy expects; 0 for none.

    Raises:
        CapabilityError: the energy does not have the ability, or expects another conditioning vector.
    """
    chains = Fresh(context)(2, stream(0, 0, "probe", context.device)).without(*hidden)
    if conditioning:
        chains = chains.with_aux(**{CONDITION: torch.zeros(2, conditioning, device=chains.x.device)})
    return int(values_of(copy.deepcopy(energy), chains, ability)[ability].shape[-1])

"""Acceptance: accepted proposals over proposals, where a proposal is a move of x that may be rejected."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ebmkit.protocols.sampler import SamplerInfo


def acceptance(info: SamplerInfo) -> Tensor | None:
    """Returns [B] in [0, 1], the share of proposals that were accepted in one transition; None where there were none.

    Draws of a coordinate given all else, augmentations and unadjusted moves always happen: they are no proposals.
    """
    return info.accept_rate if info.n_proposals else None


def joint_rate(infos: Sequence[SamplerInfo]) -> Tensor:
    """Returns [B], the share of all proposals of several parts that were accepted; 1 where there were none."""
    proposals = sum(info.n_proposals for info in infos)
    if not proposals:
        return torch.ones_like(infos[0].accept_rate)
    return torch.stack([info.accept_rate * info.n_proposals for info in infos]).sum(dim=0) / proposals


def trials(info: SamplerInfo) -> tuple[Tensor, Tensor]:
    """Returns (accepted, tried) proposals of all chains, [] each."""
    accepted = info.accept_rate * info.n_proposals
    return accepted.sum(), torch.full_like(accepted, info.n_proposals).sum()


def trials_by_value(info: SamplerInfo, values: Tensor, n_values: int) -> tuple[Tensor, Tensor]:
    """Returns (accepted, tried) proposals [n_values], those of each chain counted for its value of a coordinate.

    Args:
        info: of a transition that leaves the coordinate alone.
        values: [B], index of the value.
        n_values: how many there are.
    """
    member = (values[:, None] == torch.arange(n_values, device=values.device)).to(info.accept_rate.dtype)
    return (info.accept_rate * info.n_proposals) @ member, member.sum(dim=0) * info.n_proposals

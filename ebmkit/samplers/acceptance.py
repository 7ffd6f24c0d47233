"""How many of its proposals a sampler accepted, told apart from moves that nothing rejects."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ebmkit.protocols.sampler import Sampler, SamplerInfo, owns_tail
from ebmkit.samplers.sequence import Sequence


def acceptance(sampler: Sampler, info: SamplerInfo) -> Tensor | None:
    """Returns [B] in [0, 1], the share of proposals for x that were accepted in one transition.

    Draws of a coordinate given all else, augmentations and unadjusted samplers reject nothing and are left out; None
    where nothing else is there.
    """
    counted = list(_adjusted(sampler, info))
    moves = sum(one.n_moves for one in counted)
    if not moves:
        return None
    return torch.stack([one.accept_rate * one.n_moves for one in counted]).sum(dim=0) / moves


def _adjusted(sampler: Sampler, info: SamplerInfo) -> Iterator[SamplerInfo]:
    """Yields the infos of the parts of a sequence, however deep, that move x and may reject."""
    sequence = sampler if isinstance(sampler, Sequence) else getattr(sampler, "sequence", None)
    if isinstance(sequence, Sequence) and len(info.children) == len(sequence.children):
        for child, its in zip(sequence.children, info.children, strict=True):
            yield from _adjusted(child, its)
    elif owns_tail(sampler) and not _never_rejects(sampler):
        yield info


def _never_rejects(sampler: Sampler) -> bool:
    """Returns whether it, or what it runs on a ladder of temperatures, is unadjusted."""
    children: tuple[Sampler, ...] = getattr(sampler, "children", ())
    return hasattr(sampler, "bias_order") or any(hasattr(child, "bias_order") for child in children)

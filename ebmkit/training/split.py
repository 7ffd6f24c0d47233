"""Tensors that are split over processes (`DTensor`): whole again, split as another one, and the norm of gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


def is_split(tensor: Tensor) -> bool:
    """Whether each process holds a part of a tensor. Asked without importing the engine of such tensors."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """Returns the whole of a tensor that is split, in all processes, which ask for it together; another as it is."""
    split: Any = tensor
    joined: Tensor = split.full_tensor() if is_split(tensor) else tensor
    return joined


def own_part(tensor: Tensor) -> Tensor:
    """Returns what this process holds of a tensor; it shares its memory."""
    split: Any = tensor
    own: Tensor = split.to_local() if is_split(tensor) else tensor
    return own


@torch.no_grad()
def all_whole(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Returns tensors by name, those that are split whole and on the CPU, one after another.

    Args:
        tensors: by name.
        keep: whether this process wants them; the others take part in joining them and get nothing.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        joined = whole(tensor)
        if keep:
            found[name] = joined.cpu() if is_split(tensor) else joined
    return found


def split_like(tensor: Tensor, like: Tensor) -> Tensor:
    """Returns this process's part of a whole tensor, split as another one is; nothing is sent."""
    if not is_split(like) or is_split(tensor):
        return tensor
    from torch.distributed.tensor import DTensor, Shard

    of: Any = like
    (placement,) = of.placements
    assert isinstance(placement, Shard), "parameters are split along one dimension"
    parts = torch.chunk(tensor.to(of.device), of.device_mesh.size(), dim=placement.dim)
    rank = of.device_mesh.get_local_rank()
    own = parts[rank].contiguous() if rank < len(parts) else tensor.new_empty(of.to_local().shape, device=of.device)
    split: Tensor = DTensor.from_local(
        own, of.device_mesh, of.placements, run_check=False, shape=of.shape, stride=of.stride()
    )
    return split


@torch.no_grad()
def clip_split_gradients(parameters: Iterable[nn.Parameter], bound: float) -> Tensor:
    """Scales gradients down to a norm, as `clip_grad_norm_` does, where some are split; returns the norm of all.

    Args:
        parameters: of one owner; those that are not split have the same gradient in all processes.
        bound: on the norm over all parameters.
    """
    import torch.distributed as dist

    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    device = gradients[0].device
    split, others = torch.zeros((), device=device), torch.zeros((), device=device)
    for gradient in gradients:
        square = own_part(gradient).square().sum()
        split, others = (split + square, others) if is_split(gradient) else (split, others + square)
    dist.all_reduce(split)
    norm = (split + others).sqrt()
    factor = (bound / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        own_part(gradient).mul_(factor)
    return norm

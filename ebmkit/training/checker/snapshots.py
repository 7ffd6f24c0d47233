"""Copies of tensors, to be compared with what they are later: a write through `.data` shows as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ebmkit.point import Batch, Point

Tensors = Mapping[str, Tensor]


def of_point(point: Point, name: str = "") -> dict[str, Tensor]:
    """Returns the tensors of a point by name."""
    return {f"{name}x": point.x, **{f"{name}{key}": value for key, value in point.aux.items()}}


def of_batch(batch: Batch) -> dict[str, Tensor]:
    """Returns the tensors of a batch by name."""
    return {"x": batch.x} if batch.y is None else {"x": batch.x, "y": batch.y}


def of_module(part: object) -> dict[str, Tensor]:
    """Returns parameters and buffers by name, but for what parametrisations keep: a power iteration is theirs."""
    if not isinstance(part, nn.Module):
        return {}
    named = {**dict(part.named_parameters()), **dict(part.named_buffers())}
    return {name: tensor for name, tensor in named.items() if "parametrizations." not in name}


def modes(part: object) -> dict[str, tuple[bool, ...]]:
    """Returns of every module whether it is in training mode and which of its parameters require a gradient."""
    if not isinstance(part, nn.Module):
        return {}
    return {
        name: (module.training, *(p.requires_grad for p in module.parameters(recurse=False)))
        for name, module in part.named_modules()
    }


def kept(tensors: Tensors) -> dict[str, Tensor]:
    """Returns copies."""
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def changed(before: Tensors, now: Tensors) -> list[str]:
    """Returns the names of the tensors that are not as they were."""
    return [name for name, tensor in before.items() if name not in now or not same(tensor, now[name])]


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are equal in shape, dtype and every value; NaN equals NaN."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    equal = a == b
    if a.is_floating_point():
        equal = equal | (a.isnan() & b.isnan())
    return bool(equal.all())


def listed(names: Iterable[str]) -> str:
    """Returns names for a message: the first few of them.

    >>> listed(["a", "b"]), listed("abcdef")
    ("'a', 'b'", "'a', 'b', 'c' and 3 more")
    """
    every = [f"'{name}'" for name in names]
    return ", ".join(every[:3]) + (f" and {len(every) - 3} more" if len(every) > 3 else "")


def alike(a: Tensor, b: Tensor, tolerance: float) -> bool:
    """Whether two answers to one question agree: within a share of the largest of them, whatever its sign."""
    scale = torch.maximum(a.abs().max(), b.abs().max())
    return bool(((a - b).abs() <= tolerance * scale).all()) or same(a, b)

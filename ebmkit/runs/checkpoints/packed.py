"""Weights in fewer bytes: half precision, or whole numbers of 8 bits with a scale for each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from ebmkit.errors import CheckpointError

SCALE = "@scale"
"""After the name of a tensor of 8-bit numbers, that of its scales [rows, 1, …]."""

MOST = 127


def packed(tensors: Mapping[str, Tensor], kind: Literal["half", "int8"]) -> dict[str, Tensor]:
    """Returns tensors with every matrix or kernel in fp16, or rounded to whole numbers of 8 bits, row by row.

    Vectors, numbers and integers stay as they are.

    Raises:
        CheckpointError: a weight is beyond the largest number of fp16.
    """
    small: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.ndim < 2 or tensor.dtype != torch.float32:
            small[name] = tensor
        elif kind == "half":
            small[name] = tensor.half()
            if not bool(torch.isfinite(small[name]).all()):
                raise CheckpointError(f"'{name}' holds weights that fp16 cannot hold.")
        else:
            small[name], small[name + SCALE] = _rounded(tensor)
    return small


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors of a file with those of 8 bits as the fp32 that they stand for.

    Raises:
        CheckpointError: scales are of another shape; multiplied, they would fill any memory.

    >>> weights = {"w": torch.tensor([[1.0, -0.5], [0.0, 0.0]])}
    >>> unpacked(packed(weights, "int8"))["w"].round(decimals=2)
    tensor([[ 1.0000, -0.5000],
            [ 0.0000,  0.0000]])
    """
    scales = {name.removesuffix(SCALE): tensor for name, tensor in tensors.items() if name.endswith(SCALE)}
    plain = {name: tensor for name, tensor in tensors.items() if not name.endswith(SCALE)}
    for name, scale in scales.items():
        if name in plain and tuple(scale.shape) != (plain[name].shape[:1] + (1,) * (plain[name].ndim - 1)):
            raise CheckpointError(f"The scales of '{name}' have shape {tuple(scale.shape)}: not one for each row.")
    return plain | {name: plain[name].float() * scale for name, scale in scales.items() if name in plain}


def _rounded(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Returns whole numbers from −127 to 127, and what a 1 of each row stands for."""
    scale = tensor.abs().flatten(1).amax(dim=1).view(-1, *[1] * (tensor.ndim - 1)) / MOST
    return (tensor / scale.clamp(min=torch.finfo(torch.float32).tiny)).round().to(torch.int8), scale

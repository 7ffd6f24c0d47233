"""The published MNIST network in torch's own operators: what `ebmkit bench` times beside ours."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional


class PublishedNetwork(nn.Module):
    """The energy of a `resnet` of standardised blocks, as the reference code computes it (Du et al., 2021).

    It has the weights of that network and its values within rounding, but none of its closed forms, and torch's usual
    memory format; weights are standardised at every call.
    """

    def __init__(self, energy: Any) -> None:  # core's resnet, whose inside has no public type
        super().__init__()
        (self.trunk,), self.head = energy.trunks, energy.head

    def forward(self, x: Tensor) -> Tensor:
        """Returns the energies [B], nats, of images x [B, C, H, W]."""
        h = functional.silu(self.trunk.stem(x))
        for i, stage in enumerate(self.trunk.stages):
            if i:
                h = functional.silu(functional.avg_pool2d(self.trunk.between[i - 1].convolution(h), 3, 2, padding=1))
            for block in stage:
                h = _block(block, h)
        energies: Tensor = self.head(functional.silu(h).mean(dim=(2, 3)))
        return energies


def _block(block: Any, x: Tensor) -> Tensor:
    """Returns the block's map [B, C, H, W] of one with as many channels."""
    h = x
    for layer, norm in zip((block.first, block.second), block.norms, strict=True):
        h = functional.silu(_normalised(layer(h), norm.norm))
    return x + h


def _normalised(h: Tensor, norm: nn.GroupNorm) -> Tensor:
    if norm.num_groups == norm.num_channels:
        return functional.instance_norm(h, weight=norm.weight, bias=norm.bias, eps=norm.eps)
    return functional.group_norm(h, norm.num_groups, norm.weight, norm.bias, norm.eps)

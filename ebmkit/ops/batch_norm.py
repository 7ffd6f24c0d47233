"""Batch norm over the rows of all processes that train a model together."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from ebmkit.processes import World


class PooledBatchNorm(nn.Module):
    """A batch norm whose statistics in training are those of the rows of all processes; its tensors are the layer's.

    Its forward pass gathers mean and spread of each channel, its backward pass adds their gradients.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, layer: _BatchNorm, world: World) -> None:
        super().__init__()
        self.world, self.eps, self.momentum = world, layer.eps, layer.momentum
        for name in ("weight", "bias"):
            self.register_parameter(name, getattr(layer, name))
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(layer, name))
        self.train(layer.training)

    def forward(self, x: Tensor) -> Tensor:
        """Returns x [B, C, ...] normalised for each channel; in evaluation mode by the running statistics."""
        if not self.training and self.running_mean is not None:
            return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        values = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        mean, variance, count = pooled_moments(values, self.world)
        if self.training and self.running_mean is not None:
            self._remember(mean.detach(), variance.detach() * count / (count - 1).clamp(min=1))
        scale = (variance + self.eps).rsqrt()
        shift = -mean * scale
        if self.weight is not None and self.bias is not None:
            scale, shift = scale * self.weight, shift * self.weight + self.bias
        shape = (1, -1, *[1] * (x.ndim - 2))
        return (values * scale.view(shape) + shift.view(shape)).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        weight = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean), weight)
        self.running_var.lerp_(variance.to(self.running_var), weight)


def pooled_moments(x: Tensor, world: World) -> tuple[Tensor, Tensor, Tensor]:
    """Returns mean [C], variance [C] (of the population) and count [] of each channel of x [B, C, ...] everywhere.

    Each process says its own mean, sum of squared deviations and count; they are united as by Chan, Golub and LeVeque
    (1983, Algorithms for computing the sample variance, eq. 2.1), which loses no digits.
    """
    others = [dim for dim in range(x.ndim) if dim != 1]
    count = x.numel() / x.shape[1]
    own = x.mean(dim=others)
    spread = (x - own.view(1, -1, *[1] * (x.ndim - 2))).square().sum(dim=others)
    said = world.rows(torch.stack([own, spread, torch.full_like(own, count, requires_grad=False)])[None])
    means, spreads, counts = said.unbind(dim=1)
    total = counts.sum(dim=0)
    mean = (counts * means).sum(dim=0) / total
    variance = (spreads + counts * (means - mean).square()).sum(dim=0) / total
    return mean, variance, total


def pool_batch_norms(module: nn.Module, world: World) -> None:
    """Replaces every batch norm inside a module, in place; its parameters and saved names stay the same."""
    if world.size == 1:
        return
    for owner in list(module.modules()):
        for name, layer in owner.named_children():
            if isinstance(layer, _BatchNorm):
                owner._modules[name] = PooledBatchNorm(layer, world)

"""x·sigmoid(x) with closed forms for two derivatives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ebmkit.ops.double_backward.layout import laid_out_as


def silu(x: Tensor) -> Tensor:
    """Returns x·sigmoid(x), with closed forms for two derivatives."""
    result: Tensor = _Silu.apply(x)  # type: ignore[no-untyped-call]
    return result


class _Silu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return functional.silu(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        result: Tensor = _SiluBackward.apply(gradient, x)  # type: ignore[no-untyped-call]
        return result


class _SiluBackward(torch.autograd.Function):
    """From g to g·f′(x); f′ = s + xs(1 − s) and f″ = s(1 − s)(2 + x(1 − 2s)) with s = sigmoid(x)."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor) -> Tensor:
        g = laid_out_as(x, g)
        ctx.save_for_backward(g, x)
        by_x: Tensor = torch.ops.aten.silu_backward(g, x)
        return by_x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor) -> tuple[Tensor, Tensor]:
        g, x = ctx.saved_tensors
        u = laid_out_as(x, u)
        s = torch.sigmoid(x)
        by_g = torch.ops.aten.silu_backward(u, x)
        curvature = torch.addcmul(x, x, s, value=-2).add_(2).mul_(s)  # s(2 + x(1 − 2s)), to be multiplied by 1 − s
        by_x = torch.addcmul(curvature, curvature, s, value=-1).mul_(u).mul_(g)
        return by_g, by_x

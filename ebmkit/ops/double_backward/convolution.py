"""A convolution whose gradient in x, where it keeps a graph, is all that it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ebmkit.ops.double_backward.layout import Gradients, laid_out_as

Way = tuple[list[int], list[int], list[int]]
"""Stride, padding and dilation."""

_GRADIENTS_IN_X_ALONE: ContextVar[bool] = ContextVar("gradients_in_x_alone", default=False)


@contextmanager
def gradients_in_x_alone() -> Iterator[None]:
    """Says that gradients of networks asked inside, where they keep a graph, are those in x: weights have none there.

    A gradient that keeps no graph has them all; so has ⟨v, ∇ₓE⟩, which is what the graph is for.
    """
    token = _GRADIENTS_IN_X_ALONE.set(True)
    try:
        yield
    finally:
        _GRADIENTS_IN_X_ALONE.reset(token)


def convolved(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Returns layer(x). Inside of `gradients_in_x_alone` a second gradient is made of what a first one is made of.

    Torch computes it in the weights as a convolution with a kernel of the size of the map: on a CPU thrice the time.
    """
    if not _GRADIENTS_IN_X_ALONE.get() or _is_unusual(layer):
        usual: Tensor = layer(x)
        return usual
    assert not isinstance(layer.padding, str)
    weight, bias = layer.weight, layer.bias
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    way = (list(layer.stride), list(layer.padding), list(layer.dilation))
    result: Tensor = _Convolve.apply(x, weight, bias, way)  # type: ignore[no-untyped-call]
    return result


def _is_unusual(layer: nn.Conv2d) -> bool:
    return layer.groups > 1 or layer.padding_mode != "zeros" or isinstance(layer.padding, str)


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, way: Way) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.way, ctx.has_bias = way, bias is not None
        return functional.conv2d(x, weight, bias, *way)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        x, weight = ctx.saved_tensors
        if torch.is_grad_enabled():
            by_x = _ConvolveBackward.apply(gradient, x, weight, ctx.way)  # type: ignore[no-untyped-call]
            return by_x, None, None, None
        return *_convolve_backward(gradient, x, weight, ctx.way, (True, True, ctx.has_bias)), None


class _ConvolveBackward(torch.autograd.Function):
    """From g to the gradient in x, which is linear in g and in the weight."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, weight: Tensor, way: Way) -> Tensor:
        ctx.save_for_backward(g, x, weight)
        ctx.way = way
        by_x = _convolve_backward(g, x, weight, way, (True, False, False))[0]
        assert by_x is not None
        return by_x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor) -> Gradients:
        g, x, weight = ctx.saved_tensors
        u = laid_out_as(x, u)
        by_weight = _convolve_backward(g, u, weight, ctx.way, (False, True, False))[1]
        return functional.conv2d(u, weight, None, *ctx.way), None, by_weight, None


def _convolve_backward(g: Tensor, x: Tensor, weight: Tensor, way: Way, asked: tuple[bool, bool, bool]) -> Gradients:
    biases = [len(weight)] if asked[2] else None
    found: Gradients = torch.ops.aten.convolution_backward(g, x, weight, biases, *way, False, [0, 0], 1, list(asked))
    return found

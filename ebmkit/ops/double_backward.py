"""A norm and an activation that cost little when they are differentiated twice, in the memory format of their input.

The graph of a Langevin move needs ∂²E/∂x∂θ. Torch differentiates the kernels of its group norm and of its SiLU twice by
writing them out in dozens of passes over the feature map, and on a CPU these kernels are 10 to 60 times slower in
channels-last, the format in which convolutions are fastest. Here every derivative, up to the second, is a closed form:
sums over the places of each channel, and then one weighted sum of feature maps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

EPSILON = 1e-5

Grads = tuple[Tensor | None, ...]
Way = tuple[list[int], list[int], list[int]]
_GRADIENTS_IN_X_ALONE: ContextVar[bool] = ContextVar("gradients_in_x_alone", default=False)


class Law(NamedTuple):
    """Mean and 1/s.d. of each group, [B, G, 1], at least fp32."""

    mean: Tensor
    scale: Tensor


def normalised(x: Tensor, n_groups: int, weight: Tensor, bias: Tensor) -> Tensor:
    """Returns γ·(x − μ)/√(σ² + 1e-5) + β, mean and variance over each row's group of channels (Wu, He, 2018, eq. 1–5).

    Args:
        x: [B, C, H, W]; kept in its dtype and memory format, statistics in fp32 at least.
        n_groups: G, a divisor of C; G = C is instance normalisation.
        weight: γ [C].
        bias: β [C].
    """
    with torch.no_grad():  # the norm does not depend on a shift of its group, and sums of centred numbers lose nothing
        shift = _group_mean(_sum(x), x, n_groups)
        shift = _to_channels(shift, x).to(x.dtype)
    result: Tensor = _Normalise.apply(x - shift, weight, bias, n_groups)  # type: ignore[no-untyped-call]
    return result


def silu(x: Tensor) -> Tensor:
    """Returns x·sigmoid(x), with closed forms for two derivatives."""
    result: Tensor = _Silu.apply(x)  # type: ignore[no-untyped-call]
    return result


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
    if (
        not _GRADIENTS_IN_X_ALONE.get()
        or layer.groups > 1
        or layer.padding_mode != "zeros"
        or isinstance(layer.padding, str)
    ):
        plain: Tensor = layer(x)
        return plain
    weight, bias = layer.weight, layer.bias
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    way = (list(layer.stride), list(layer.padding), list(layer.dilation))
    result: Tensor = _Convolve.apply(x, weight, bias, way)  # type: ignore[no-untyped-call]
    return result


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, way: Way) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.way, ctx.has_bias = way, bias is not None
        return functional.conv2d(x, weight, bias, *way)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Grads:
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
    def backward(ctx: Any, u: Tensor) -> Grads:
        g, x, weight = ctx.saved_tensors
        u = _like(u, x)
        by_weight = _convolve_backward(g, u, weight, ctx.way, (False, True, False))[1]
        return functional.conv2d(u, weight, None, *ctx.way), None, by_weight, None


def _convolve_backward(g: Tensor, x: Tensor, weight: Tensor, way: Way, asked: tuple[bool, bool, bool]) -> Grads:
    biases = [len(weight)] if asked[2] else None
    found: Grads = torch.ops.aten.convolution_backward(g, x, weight, biases, *way, False, [0, 0], 1, list(asked))
    return found


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, n_groups: int) -> Tensor:
        law = _law(x, n_groups)
        gain = _to_channels(law.scale, x) * _channels(weight, x)
        offset = _channels(bias, x) - _to_channels(law.mean, x) * gain
        ctx.save_for_backward(x, weight, *law)
        ctx.dtype = bias.dtype
        return _combined(offset, (gain, x))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Grads:
        x, weight, *law = ctx.saved_tensors
        by_x, by_weight, by_bias = _NormaliseBackward.apply(gradient, x, weight, *law)  # type: ignore[no-untyped-call]
        return by_x, by_weight, by_bias.to(ctx.dtype), None


class _NormaliseBackward(torch.autograd.Function):
    """From g to r(γg − mean γg − x̂·mean γgx̂), Σ gx̂, Σ g, where r = 1/s.d. and x̂ = r(x − μ)."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, weight: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        g = _like(g, x)
        gamma, mu, r = _channels(weight, x), _to_channels(mean, x), _to_channels(scale, x)
        sum_g = _sum(g)
        sum_gx = r * (_sum(g * x) - mu * sum_g)
        n_groups = mean.shape[1]
        g_mean, gx_mean = (_to_channels(_group_mean(gamma * s, x, n_groups), x) for s in (sum_g, sum_gx))
        ctx.save_for_backward(g, x, weight, mu, r, sum_g, sum_gx, g_mean, gx_mean)
        ctx.set_materialize_grads(False)
        ctx.n_groups = n_groups
        by_x = _combined(r * (r * gx_mean * mu - g_mean), (-r * r * gx_mean, x), (r * gamma, g))
        return by_x, _over_rows(sum_gx, weight), _over_rows(sum_g, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor | None, p: Tensor | None, q: Tensor | None) -> Grads:
        g, x, weight, mu, r, sum_g, sum_gx, g_mean, gx_mean = ctx.saved_tensors
        gamma = _channels(weight, x)
        n_groups = ctx.n_groups

        def grouped(channel: Tensor) -> Tensor:
            return _to_channels(_group_mean(channel, x, n_groups), x)

        u = torch.zeros_like(x) if u is None else _like(u, x)
        p = torch.zeros_like(r[:1]) if p is None else _channels(p, x)
        q = torch.zeros_like(r[:1]) if q is None else _channels(q, x)
        sum_u, sum_ug = _sum(u), _sum(u * g)
        sum_ux = r * (_sum(u * x) - mu * sum_u)
        u_mean, ux_mean = grouped(sum_u), grouped(sum_ux)
        bend = grouped(gamma * sum_ug) - u_mean * g_mean - 3 * ux_mean * gx_mean
        pull, pull_x = grouped(p * sum_g), grouped(p * sum_gx)
        on_x = r * (p - gamma * r * ux_mean)
        by_g = _combined(q - gamma * r * u_mean - mu * on_x, (on_x, x), (gamma * r, u))
        slope = -r * r * (r * bend + pull_x)
        level = r * r * (gx_mean * u_mean + ux_mean * g_mean) - r * pull - mu * slope
        by_x = _combined(level, (slope, x), (r * p - r * r * ux_mean * gamma, g), (-r * r * gx_mean, u))
        by_weight = _over_rows(r * (sum_ug - u_mean * sum_g - ux_mean * sum_gx), weight)
        return by_g, by_x, by_weight, None, None


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
        g = _like(g, x)
        ctx.save_for_backward(g, x)
        by_x: Tensor = torch.ops.aten.silu_backward(g, x)
        return by_x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor) -> tuple[Tensor, Tensor]:
        g, x = ctx.saved_tensors
        u = _like(u, x)
        s = torch.sigmoid(x)
        by_g = torch.ops.aten.silu_backward(u, x)
        bend = torch.addcmul(x, x, s, value=-2).add_(2).mul_(s)  # s(2 + x(1 − 2s))
        by_x = torch.addcmul(bend, bend, s, value=-1).mul_(u).mul_(g)
        return by_g, by_x


def _law(x: Tensor, n_groups: int) -> Law:
    """Returns mean and 1/√(σ² + ε) of centred x."""
    mean = _group_mean(_sum(x), x, n_groups)
    variance = _group_mean(_sum(x * x), x, n_groups) - mean * mean
    return Law(mean, torch.rsqrt(variance.clamp_min(0) + EPSILON))


def _sum(x: Tensor) -> Tensor:
    """Returns the sums over places [B, C, 1, 1], at least fp32; of bf16 they are added up in fp32 and rounded."""
    total = x.sum(dim=(2, 3), keepdim=True)
    return total.to(torch.promote_types(x.dtype, torch.float32))


def _group_mean(sums: Tensor, x: Tensor, n_groups: int) -> Tensor:
    """Returns the means over groups [B, G, 1] from the sums over places [B, C, 1, 1]."""
    return sums.view(len(x), n_groups, -1).sum(dim=2, keepdim=True) / (x[0].numel() // n_groups)


def _to_channels(groups: Tensor, x: Tensor) -> Tensor:
    """Returns [B, C, 1, 1] of [B, G, 1]: each channel has its group's value."""
    n_groups = groups.shape[1]
    return groups.expand(-1, -1, x.shape[1] // n_groups).reshape(len(x), -1, 1, 1)


def _channels(values: Tensor, x: Tensor) -> Tensor:
    """Returns [1, C, 1, 1] of [C], at least fp32."""
    return values.to(torch.promote_types(x.dtype, torch.float32)).view(1, -1, 1, 1)


def _combined(offset: Tensor, *terms: tuple[Tensor, Tensor]) -> Tensor:
    """Returns offset + Σ weight·map, with weights [B, C, 1, 1] rounded to the dtype of the maps."""
    dtype = terms[0][1].dtype
    total = offset.to(dtype)
    for weight, feature_map in terms:
        total = torch.addcmul(total, feature_map, weight.to(dtype))
    return total


def _over_rows(sums: Tensor, like: Tensor) -> Tensor:
    """Returns the sums over rows [C] of [B, C, 1, 1]."""
    return sums.sum(dim=0).view(-1).to(like.dtype)


def _like(gradient: Tensor, x: Tensor) -> Tensor:
    """Returns a gradient in the dtype and memory format of x; kernels are several times slower on a mixture."""
    if gradient.stride() == x.stride() and gradient.dtype == x.dtype:
        return gradient
    return torch.empty_like(x).copy_(gradient)

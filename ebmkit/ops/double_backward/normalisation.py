"""The group norm with closed forms for two derivatives: sums over places, then one weighted sum of feature maps."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ebmkit.ops.double_backward.layout import Gradients, laid_out_as

EPSILON = 1e-5


class Moments(NamedTuple):
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


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, n_groups: int) -> Tensor:
        moments = _moments(x, n_groups)
        gain = _to_channels(moments.scale, x) * _channels(weight, x)
        offset = _channels(bias, x) - _to_channels(moments.mean, x) * gain
        ctx.save_for_backward(x, weight, *moments)
        ctx.dtype = bias.dtype
        return _combined(offset, (gain, x))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        x, weight, *moments = ctx.saved_tensors
        by_x, by_weight, by_bias = _NormaliseBackward.apply(gradient, x, weight, *moments)  # type: ignore[no-untyped-call]
        return by_x, by_weight, by_bias.to(ctx.dtype), None


class _NormaliseBackward(torch.autograd.Function):
    """From g to r(γg − mean γg − x̂·mean γgx̂), Σ gx̂, Σ g, where r = 1/s.d. and x̂ = r(x − μ)."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, weight: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        g = laid_out_as(x, g)
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
    def backward(ctx: Any, u: Tensor | None, p: Tensor | None, q: Tensor | None) -> Gradients:
        """From u, p, q, which weigh the three outputs, to the gradients of s = Σ u·by_x + Σ p·by_weight + Σ q·by_bias.

        m is the mean over a group of N numbers; U₀ = m(u), U₁ = m(ux̂), G₀ = m(γg), G₁ = m(γgx̂). By the forward pass

            s = Σ_groups rN(m(γug) − U₀G₀ − U₁G₁) + Σ pgx̂ + Σ qg,    so that
            ∂s/∂g = γr(u − U₀ − U₁x̂) + px̂ + q    and    ∂s/∂γ = Σ_rows r(Σug − U₀Σg − U₁Σgx̂).

        In x, dx̂ = r(dx − m(dx) − x̂m(x̂dx)) and dr = −r²m(x̂dx). With h = ∂s/∂x̂ = pg − r(U₁γg + G₁u) and
        ∂s/∂r = N(m(γug) − U₀G₀ − U₁G₁) that makes

            ∂s/∂x = r(h − m(h) − x̂m(hx̂)) − r²x̂(m(γug) − U₀G₀ − U₁G₁),
            m(h) = m(pg) − r(U₁G₀ + G₁U₀)    and    m(hx̂) = m(pgx̂) − 2rU₁G₁,

        in which x̂ has the factor −r²·curvature − r·m(pgx̂), with curvature = m(γug) − U₀G₀ − 3U₁G₁. Below, each map's
        factor is gathered, x̂ = r(x − μ) being written out.
        """
        g, x, weight, mu, r, sum_g, sum_gx, g_mean, gx_mean = ctx.saved_tensors
        gamma = _channels(weight, x)
        n_groups = ctx.n_groups

        def mean(sums: Tensor) -> Tensor:
            return _to_channels(_group_mean(sums, x, n_groups), x)

        u = torch.zeros_like(x) if u is None else laid_out_as(x, u)
        p = torch.zeros_like(r[:1]) if p is None else _channels(p, x)
        q = torch.zeros_like(r[:1]) if q is None else _channels(q, x)
        sum_u, sum_ug = _sum(u), _sum(u * g)
        sum_ux = r * (_sum(u * x) - mu * sum_u)
        u_mean, ux_mean = mean(sum_u), mean(sum_ux)
        x_in_g = r * (p - gamma * r * ux_mean)
        by_g = _combined(q - gamma * r * u_mean - mu * x_in_g, (x_in_g, x), (gamma * r, u))
        curvature = mean(gamma * sum_ug) - u_mean * g_mean - 3 * ux_mean * gx_mean
        pg_mean, pgx_mean = mean(p * sum_g), mean(p * sum_gx)
        x_in_x = -r * r * (r * curvature + pgx_mean)
        offset = r * r * (gx_mean * u_mean + ux_mean * g_mean) - r * pg_mean - mu * x_in_x
        by_x = _combined(offset, (x_in_x, x), (r * p - r * r * ux_mean * gamma, g), (-r * r * gx_mean, u))
        by_weight = _over_rows(r * (sum_ug - u_mean * sum_g - ux_mean * sum_gx), weight)
        return by_g, by_x, by_weight, None, None


def _moments(x: Tensor, n_groups: int) -> Moments:
    """Returns mean and 1/√(σ² + ε) of centred x."""
    mean = _group_mean(_sum(x), x, n_groups)
    variance = _group_mean(_sum(x * x), x, n_groups) - mean * mean
    return Moments(mean, torch.rsqrt(variance.clamp_min(0) + EPSILON))


def _sum(x: Tensor) -> Tensor:
    """Returns the sums over places [B, C, 1, 1], at least fp32; of bf16 they are added up in fp32 and rounded."""
    total = x.sum(dim=(2, 3), keepdim=True)
    return total.to(torch.promote_types(x.dtype, torch.float32))


def _group_mean(sums: Tensor, x: Tensor, n_groups: int) -> Tensor:
    """Returns the means over groups [B, G, 1] from the sums over places [B, C, 1, 1]."""
    return sums.view(x.shape[0], n_groups, -1).sum(dim=2, keepdim=True) / (x[0].numel() // n_groups)


def _to_channels(groups: Tensor, x: Tensor) -> Tensor:
    """Returns [B, C, 1, 1] of [B, G, 1]: each channel has its group's value."""
    n_groups = groups.shape[1]
    return groups.expand(-1, -1, x.shape[1] // n_groups).reshape(x.shape[0], -1, 1, 1)


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

"""Self-attention over the places of a feature map."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn


def attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Returns Σ_n softmax_n(q_m·k_n) v_n [B, C, N] of queries and keys [B, D, N] and values [B, C, N].

    Products are not scaled by 1/√D, as published. Written out, because it is differentiated twice: the fused kernels
    of torch are not.
    """
    weights = torch.softmax(query.transpose(1, 2) @ key, dim=2)
    return value @ weights.to(value.dtype).transpose(1, 2)


class SelfAttention(nn.Module):
    """x + γ·attention(x) with queries and keys of C/8 channels; γ is learned and starts at 0, where this is x.

    Source: Zhang, Goodfellow, Metaxas, Odena, Self-attention generative adversarial networks, ICML 2019, eq. 1–3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, max(1, channels // 8), 1)
        self.key = nn.Conv2d(channels, max(1, channels // 8), 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Returns [B, C, H, W] of x [B, C, H, W]."""
        query, key, value = (rearrange(map_(x), "b c h w -> b c (h w)") for map_ in (self.query, self.key, self.value))
        seen = rearrange(attended(query, key, value), "b c (h w) -> b c h w", h=x.shape[2])
        result: Tensor = x + self.gamma.to(x.dtype) * seen
        return result

"""The two losses of CLEL, as functions of unit latents."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def nt_xent(
    views_a: Tensor,
    views_b: Tensor,
    extra_keys: Tensor | None = None,
    extra_mask: Tensor | None = None,
    *,
    temperature: float,
) -> Tensor:
    """Returns the mean over all 2N views of −log softmax of their other view among 2N − 1 views and M extra keys, nats.

    Args:
        views_a: [N, D] unit latents of one view of each datum.
        views_b: [N, D] unit latents of another view, row by row of the same data.
        extra_keys: [M, D] unit latents that nothing should be near.
        extra_mask: [M] bool, the extra keys that count; all of them without it.
        temperature: τ, that of the softmax.

    Source: Chen, Kornblith, Norouzi, Hinton, A simple framework for contrastive learning, ICML 2020, eq. 1; the extra
    keys are those of Lee et al., 2023.

    >>> one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> nt_xent(one, other, one, temperature=1.0)  # log 2 where the key is as far as the view, log(1 + e) where it is 1
    tensor(1.0032)
    """
    views = torch.cat([views_a, views_b])
    n = len(views)
    itself = torch.eye(n, dtype=torch.bool, device=views.device)
    logits = (views @ views.T / temperature).masked_fill(itself, -torch.inf)
    if extra_keys is not None:
        extra = views @ extra_keys.T / temperature
        if extra_mask is not None:
            extra = extra.masked_fill(~extra_mask, -torch.inf)
        logits = torch.cat([logits, extra], dim=1)
    other = torch.arange(n, device=views.device).roll(n // 2)
    return functional.cross_entropy(logits, other)


def guidance(latent: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Returns mean_b w_b cos(g(f(x_b)), z_b), which −β turns into the latent part of E(x, z) (Lee et al., 2023).

    Args:
        latent: [B, D] unit, g(f(x)) of the data.
        target: [B, D] unit, z, the encoder's latents of the same data.
        weight: w [B]; 1 without it.

    >>> up = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    >>> guidance(up, -up), guidance(up, up, torch.tensor([1.0, 0.0]))
    (tensor(-1.), tensor(0.5000))
    """
    cosine = (latent * target).sum(dim=-1)
    return (cosine if weight is None else weight * cosine).mean()

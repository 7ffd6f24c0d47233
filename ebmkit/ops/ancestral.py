"""One step of the posterior from a noise level to the one below it."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.ops.rows import rows_as


def ancestral(x: Tensor, score: Tensor, now: tuple[Tensor, Tensor], before: tuple[Tensor, Tensor], e: Tensor) -> Tensor:
    """Returns x_{j−1} ~ N((x_j + vS)/α, vσ²_{j−1}/σ²_j), α = a_j/a_{j−1}, v = σ_j² − α²σ²_{j−1}.

    The mean is that of x_{j−1} given x_j, whatever the data (Tweedie's formula). The variance is that which is left
    where clean x is known: it is too small for data that x_j leaves uncertain, which moves mend.

    Args:
        x: x_j [B, *event], x_j = a_j·x₀ + σ_j·(standard normal). Where a_j = 0 it knows nothing of x_{j−1} and stays.
        score: S = ∇log p_j(x_j) [B, *event], per unit of x.
        now: a_j and σ_j [B].
        before: a_{j−1} and σ_{j−1} [B].
        e: [B, *event], standard normal.

    Source: Sohl-Dickstein et al. (2015); Ho, Jain, Abbeel (2020), eq. 7 and 11.
    """
    alpha, sd, sd_before = now[0] / before[0], now[1], before[1]
    added, safe = sd**2 - (alpha * sd_before) ** 2, alpha.where(alpha > 0, 1.0)
    mean = (x + rows_as(added, x).to(x) * score) / rows_as(safe, x).to(x)
    drawn = mean + rows_as(added.sqrt() * sd_before / sd, x).to(x) * e
    return torch.where(rows_as(alpha > 0, x), drawn, x)

"""The bootstrap: the spread of a number under draws, with replacement, of the rows that it was computed from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor


def bootstrap_error(statistic: Callable[..., float], n_draws: int, rng: Generator, *sets: Tensor) -> float | None:
    """Returns the standard deviation of a statistic over draws of the rows of each set; None for fewer than two draws.

    The sets are drawn independently. Only the spread is used: the mean of the draws may be biased where the statistic
    is not linear in the rows, as a Fréchet distance is not.

    Source: Efron (1979), Bootstrap methods: another look at the jackknife.

    Args:
        statistic: of as many sets as are given, each with the rows of one draw.
        n_draws: draws.
        rng: of the draws.
        *sets: tensors [N, ...], each with its own N.
    """
    if n_draws < 2:
        return None
    found = [statistic(*(rows[_draw(len(rows), rng)] for rows in sets)) for _ in range(n_draws)]
    return float(torch.tensor(found, dtype=torch.float64).std())


def share_error(share: float, n: int) -> float:
    """Returns √(p (1 − p) / n), what the bootstrap of a share p of n independent rows tends to."""
    return float((max(share * (1.0 - share), 0.0) / n) ** 0.5)


def _draw(n: int, rng: Generator) -> Tensor:
    return torch.randint(n, (n,), generator=rng)

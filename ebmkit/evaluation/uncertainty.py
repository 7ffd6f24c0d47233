"""Standard errors: of means, and by the bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

import torch
from torch import Generator, Tensor

RESAMPLES = 200


def standard_error(values: Tensor) -> float:
    """Returns the standard error of the mean of independent values [N]; NaN for fewer than two."""
    return float(values.double().std() / len(values) ** 0.5) if len(values) > 1 else nan


def bootstrap(statistic: Callable[..., float], *samples: Tensor, rng: Generator, resamples: int = RESAMPLES) -> float:
    """Returns the standard error of a statistic by the bootstrap: its spread over resampled rows.

    Each sample is resampled by itself, with replacement, to its own size.

    Args:
        statistic: of samples [N, ...] → number.
        *samples: independent rows each.
        rng: of the choice of rows, on the CPU.
        resamples: how many.

    Source: Efron (1979), Bootstrap methods: another look at the jackknife.
    """
    found = [statistic(*(_resampled(sample, rng) for sample in samples)) for _ in range(resamples)]
    return float(torch.tensor(found, dtype=torch.float64).std())


def share_error(share: float, n: int) -> float:
    """Returns the standard error of a share of n, as of (k + 1) of (n + 2): it is not 0 at none or all."""
    p = (share * n + 1) / (n + 2)
    return float((p * (1 - p) / n) ** 0.5)


def _resampled(sample: Tensor, rng: Generator) -> Tensor:
    rows = torch.randint(len(sample), (len(sample),), generator=rng)
    return sample[rows.to(sample.device)]

"""How well one number a datum tells two sets apart: AUROC, AUPR and the false positive rate at 95 % kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import torch
from torch import Generator, Tensor

from ebmkit.errors import DataError, DivergenceError

KEEP = 0.95
"""Share of in-distribution data that the threshold of FPR95 keeps."""

FEWEST = 20
"""Data a set: below, a threshold that keeps 95 % is the largest value, whatever it is."""

DIGITS = 6
"""Of what torchmetrics answers in fp32: a separable set has an area of 1."""

FIGURES = ("AUROC", "AUPR", "FPR95")

CONVENTION = (
    "values are higher out of distribution; AUROC: the probability that an out-of-distribution datum has a higher one "
    "than an in-distribution datum, ties count half; AUPR: average precision, out-of-distribution data are the "
    "positive class, chance is their share; FPR95: the share of out-of-distribution data that pass a threshold which "
    "keeps 95 % of in-distribution data"
)
"""What the figures are, in words that are printed beside them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One figure of separation.

    Attributes:
        value: in [0, 1].
        error: one standard error.
    """

    value: float
    error: float


def separation(inside: Tensor, outside: Tensor, rng: Generator, *, resamples: int = 200) -> Mapping[str, Figure]:
    """Returns AUROC, AUPR and FPR95 of values, higher out of distribution, with bootstrap standard errors.

    AUROC and AUPR are those of torchmetrics, whatever the scale of the values: it is asked of their ranks, for it would
    put values beyond [0, 1] through a sigmoid, where large ones tie.

    Args:
        inside: values of in-distribution data [N].
        outside: values of out-of-distribution data [M].
        rng: of the bootstrap, which draws from either set by itself (stratified).
        resamples: of the bootstrap.

    Raises:
        DataError: fewer than 20 values in a set.
        DivergenceError: a value is not finite.

    Source: Hendrycks, Gimpel, ICLR 2017 (AUROC, AUPR); Liang, Li, Srikant, ICLR 2018 (FPR at a rate that is kept);
    Efron, Tibshirani, An Introduction to the Bootstrap, 1993.
    """
    _check(inside, outside)
    ranks, n_ranks = dense_ranks(torch.cat([inside, outside]))
    low, high = ranks[: len(inside)], ranks[len(inside) :]
    values = {
        **_curves(low, high, n_ranks),
        "FPR95": float(share_passing(_counts(low[None], n_ranks), _counts(high[None], n_ranks))),
    }
    errors = _errors(low, high, n_ranks, rng, resamples)
    return {name: Figure(value=values[name], error=errors[name]) for name in FIGURES}


def dense_ranks(values: Tensor) -> tuple[Tensor, int]:
    """Returns the rank of each value [N] among the distinct ones, from 0, equal values alike, and how many there are.

    >>> dense_ranks(torch.tensor([3e9, 1.0, 3e9]))
    (tensor([1, 0, 1]), 2)
    """
    distinct, ranks = torch.unique(values, return_inverse=True)
    return ranks, len(distinct)


def area_under_roc(inside: Tensor, outside: Tensor) -> Tensor:
    """Returns P(outside > inside) + ½ P(equal) [R] of counts by rank [R, K], ascending: Mann–Whitney's U."""
    below = inside.cumsum(dim=1) - inside
    wins = (outside * (below + inside / 2)).sum(dim=1)
    return wins / (inside.sum(dim=1) * outside.sum(dim=1))


def average_precision(inside: Tensor, outside: Tensor) -> Tensor:
    """Returns Σ (R_k − R_{k−1}) P_k [R] over thresholds from the top, of counts by rank [R, K], ascending.

    The precision P and recall R are those of the data outside.
    """
    found, wrong = outside.flip(1).cumsum(dim=1), inside.flip(1).cumsum(dim=1)
    precision = found / (found + wrong).clamp(min=1)
    return (precision * outside.flip(1)).sum(dim=1) / outside.sum(dim=1)


def share_passing(inside: Tensor, outside: Tensor, keep: float = KEEP) -> Tensor:
    """Returns the share of outside data [R] up to the lowest rank that keeps so many inside; counts by rank [R, K]."""
    needed = ceil(round(keep * float(inside[0].sum()), 6))
    threshold = (inside.cumsum(dim=1) >= needed).int().argmax(dim=1, keepdim=True)
    return outside.cumsum(dim=1).gather(1, threshold)[:, 0] / outside.sum(dim=1)


def _curves(inside: Tensor, outside: Tensor, n_ranks: int) -> dict[str, float]:
    from torchmetrics.functional.classification import binary_auroc, binary_average_precision  # takes a second

    ranks = torch.cat([inside, outside]).double() / max(n_ranks - 1, 1)
    is_outside = torch.cat([torch.zeros_like(inside), torch.ones_like(outside)])
    return {
        "AUROC": round(float(binary_auroc(ranks, is_outside)), DIGITS),
        "AUPR": round(float(binary_average_precision(ranks, is_outside)), DIGITS),
    }


def _errors(inside: Tensor, outside: Tensor, n_ranks: int, rng: Generator, resamples: int) -> dict[str, float]:
    """Returns the s.d. of each figure over resamples; a few at a time, for a table of counts is large."""
    found: dict[str, list[Tensor]] = {name: [] for name in FIGURES}
    at_once = max(1, 2_000_000 // n_ranks)
    for start in range(0, resamples, at_once):
        n = min(at_once, resamples - start)
        low, high = (_counts(_resampled(ranks, n, rng), n_ranks) for ranks in (inside, outside))
        for name, figure in zip(FIGURES, (area_under_roc, average_precision, share_passing), strict=True):
            found[name].append(figure(low, high))
    return {name: float(torch.cat(parts).std()) for name, parts in found.items()}


def _resampled(ranks: Tensor, n: int, rng: Generator) -> Tensor:
    return ranks[torch.randint(len(ranks), (n, len(ranks)), generator=rng)]


def _counts(ranks: Tensor, n_ranks: int) -> Tensor:
    """Returns how often each rank stands in each row of ranks [R, N], as [R, K] float64."""
    counts = torch.zeros(len(ranks), n_ranks, dtype=torch.float64)
    return counts.scatter_add_(1, ranks, torch.ones_like(ranks, dtype=torch.float64))


def _check(inside: Tensor, outside: Tensor) -> None:
    for name, values in (("in-distribution", inside), ("out-of-distribution", outside)):
        if len(values) < FEWEST:
            raise DataError(
                f"A threshold that keeps 95 % of the data needs {FEWEST} {name} data or more, found {len(values)}. "
                "Give more data."
            )
        bad = int((~torch.isfinite(values)).sum())
        if bad:
            raise DivergenceError(
                f"{bad} of {len(values)} values of {name} data are not finite: they cannot be ranked. The energy fails "
                "there."
            )

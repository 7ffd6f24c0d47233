"""Have the chains mixed, and how many independent draws are theirs worth: R-hat and effective sample sizes.

Pure functions of draws [draws, chains, ...], one number for each quantity, in float64. They are ArviZ's numbers, and
raise DataError where there is no axis of draws or none of chains.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor, log10, prod

import torch
from torch import Tensor

from ebmkit.errors import DataError

CHUNK = 2**21  # draws worked on at once: 16 MiB, and a few times that for what is computed from them


def r_hat(draws: Tensor) -> Tensor:
    """Returns the rank-normalised split R-hat of each quantity: near 1 where the chains agree, in the tails as well.

    The larger of √((B/W + n − 1)/n) for the normal scores of the draws, and for those of |draw − median|.

    Args:
        draws: [draws, chains, *event].

    Returns:
        [*event]; NaN for fewer than 4 draws or 2 chains, or where a draw is NaN or all are equal.

    Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), eq. 1–4, 14.

    >>> draws = torch.randn(500, 4, generator=torch.Generator().manual_seed(0))
    >>> bool(r_hat(draws) < 1.01), bool(r_hat(draws + torch.arange(4)) > 1.5)
    (True, True)
    """
    return _of_each_quantity(_r_hat, draws, min_chains=2)


def ess_bulk(draws: Tensor) -> Tensor:
    """Returns the effective sample size of the bulk: of the mean of the normal scores, from all chains, split.

    Args:
        draws: [draws, chains, *event].

    Returns:
        [*event], draws; NaN for fewer than 4 draws, or where one is NaN; the number of draws where all are equal.

    Source: Vehtari et al. (2021), eq. 10–14; truncated by Geyer's initial monotone sequence, as in ArviZ and Stan.
    """
    return _of_each_quantity(lambda chains: effective_sample_size(normal_scores(split_chains(chains))), draws)


def ess_tail(draws: Tensor) -> Tensor:
    """Returns the effective sample size of the tails: the smaller of those of the 5 % and 95 % quantiles.

    Args:
        draws: [draws, chains, *event].

    Returns:
        [*event], draws; as `ess_bulk`.

    Source: Vehtari et al. (2021), section 4.3.
    """
    return _of_each_quantity(_ess_tail, draws)


def split_chains(draws: Tensor) -> Tensor:
    """Returns each chain as two, [n // 2, 2B, ...]; the middle one of an odd number of draws is left out."""
    half = len(draws) // 2
    return torch.cat([draws[:half], draws[len(draws) - half :]], dim=1)


def normal_scores(draws: Tensor) -> Tensor:
    """Returns Φ⁻¹((rank − 3/8)/(S + 1/4)) among all S draws of a quantity [n, B, Q]; equal draws share a mean rank."""
    flat = draws.flatten(0, 1).T.contiguous()  # [Q, S]: sorting and running along memory is several times as fast
    ordered, order = flat.sort(dim=1)
    place = torch.arange(flat.shape[1], device=flat.device).expand_as(flat)
    is_new = torch.ones_like(flat, dtype=torch.bool)
    is_new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = torch.where(is_new, place, 0).cummax(dim=1).values
    is_last = is_new.roll(-1, dims=1)
    last = torch.where(is_last, place, flat.shape[1]).flip(1).cummin(dim=1).values.flip(1)
    rank = torch.empty_like(flat).scatter_(1, order, (first + last).to(flat.dtype) / 2 + 1)
    scores: Tensor = torch.special.ndtri((rank - 0.375) / (flat.shape[1] + 0.25))
    return scores.where(~flat.isnan(), torch.nan).T.reshape(draws.shape)


def potential_scale_reduction(values: Tensor) -> Tensor:
    """Returns √((B/W + n − 1)/n) of values [n, B, Q]: B is n times the variance of means, W the mean variance."""
    n = len(values)
    within = (values - values[:1]).var(dim=0).mean(dim=0)  # from the first draw: exactly 0 for a chain that stands
    between = n * values.mean(dim=0).var(dim=0)
    return torch.sqrt((between / within + n - 1) / n)


def effective_sample_size(values: Tensor) -> Tensor:
    """Returns S/τ of S values [n, B, Q], with τ ≥ 1/log₁₀S; S where all are equal.

    Source: Vehtari et al. (2021), eq. 10–13; Geyer (1992), initial monotone sequence; ends of sums as in ArviZ.
    """
    n, n_chains = values.shape[:2]
    covariance = autocovariance(values)
    variance = covariance[0] * n / (n - 1)
    pooled = covariance[0] + (values.mean(dim=0).var(dim=0) if n_chains > 1 else 0)
    correlation = 1 - (variance - covariance) / pooled
    correlation[0] = 1
    size = n * n_chains
    tau = autocorrelation_time(correlation)
    tau = torch.where(tau < 1 / log10(size), 1 / log10(size), tau)
    is_constant = values.amax(dim=(0, 1)) - values.amin(dim=(0, 1)) < 1e-15
    return torch.where(is_constant, size, size / tau)


def autocovariance(values: Tensor) -> Tensor:
    """Returns Σₛ(v(s) − v̄)(v(s + t) − v̄)/n for each lag t [n, Q], the mean over chains of values [n, B, Q]."""
    n = len(values)
    power = torch.fft.rfft(values - values.mean(dim=0), n=2 * n, dim=0).abs().square().mean(dim=1)
    sums: Tensor = torch.fft.irfft(power, n=2 * n, dim=0)[:n]
    return sums / n


def autocorrelation_time(correlation: Tensor) -> Tensor:
    """Returns τ = −1 + 2Σ of autocorrelations [n, Q], summed by pairs while a pair is positive, each ≤ the one before.

    Of the pair where the sum ends only the even lag counts, once, and only where it is positive or its pair is not
    negative.
    """
    n_pairs = max((len(correlation) - 1) // 2, 1)
    even = correlation[0::2][:n_pairs]
    pairs = even + correlation[1::2][:n_pairs]
    is_summed = (pairs[:-1] > 0).cumprod(dim=0)
    end = is_summed.sum(dim=0, keepdim=True)
    total = (pairs.cummin(dim=0).values[:-1] * is_summed).sum(dim=0)
    last, last_pair = even.gather(0, end)[0], pairs.gather(0, end)[0]
    tau: Tensor = 2 * total - 1 + torch.where((last > 0) | (last_pair >= 0), last, 0)
    return tau


def _r_hat(draws: Tensor) -> Tensor:
    chains = split_chains(draws)
    ordered = chains.flatten(0, 1).sort(dim=0).values
    median = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    bulk, tail = (potential_scale_reduction(normal_scores(v)) for v in (chains, (chains - median).abs()))
    return torch.where(tail > bulk, tail, bulk)  # a tail that is NaN (two values, equally often) does not count


def _ess_tail(draws: Tensor) -> Tensor:
    ordered = draws.flatten(0, 1).sort(dim=0).values
    low, high = (draws <= _quantile(ordered, probability) for probability in (0.05, 0.95))
    return torch.minimum(*(effective_sample_size(split_chains(is_below.double())) for is_below in (low, high)))


def _quantile(ordered: Tensor, probability: float) -> Tensor:
    """Returns the quantile of sorted values [S, Q], interpolated to the last bit as in NumPy: draws may equal it."""
    place = (len(ordered) - 1) * probability
    share = place - floor(place)
    below, above = ordered[floor(place)], ordered[min(floor(place) + 1, len(ordered) - 1)]
    return below + (above - below) * share if share < 0.5 else above - (above - below) * (1 - share)


def _of_each_quantity(statistic: Callable[[Tensor], Tensor], draws: Tensor, min_chains: int = 1) -> Tensor:
    """Returns a statistic of [draws, chains, Q] for each quantity [*event], a bounded number of draws at once."""
    if draws.ndim < 2:
        raise DataError(f"Diagnostics need draws [draws, chains, ...], found {tuple(draws.shape)}.")
    n, n_chains, *event = draws.shape
    if n < 4 or n_chains < min_chains or not prod(event):
        return torch.full(event, torch.nan, dtype=torch.float64, device=draws.device)
    parts = []
    for part in torch.split(draws.detach().reshape(n, n_chains, -1), max(CHUNK // (n * n_chains), 1), dim=2):
        values = part.double()
        is_known = ~values.isnan().any(dim=0).any(dim=0)
        parts.append(torch.where(is_known, statistic(values), torch.nan))
    return torch.cat(parts).view(event)

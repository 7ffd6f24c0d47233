"""Bridge sampling along a path: ratios of normalisers from draws of both neighbours of every step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ebmkit.display.doing import doing
from ebmkit.metrics.annealing.annealed import Moves, finite
from ebmkit.metrics.annealing.paths import Path

RESAMPLES = 100
HALVINGS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class BridgedLogZ:
    """log Z of the end of a path, nats.

    Attributes:
        value: by bridge sampling at every step of the path.
        error: its standard error, by a bootstrap over chains.
        overlap: the smallest of all steps, in [0, 1]: 1 where two neighbours are one law, 0 where they share nothing.
    """

    value: float
    error: float
    overlap: float


def free_energy_difference(to: Tensor, back: Tensor) -> Tensor:
    """Returns F = log Z₀ − log Z₁ [...], nats, that solves Σ 1/(1 + e^(w − F)) = Σ 1/(1 + e^(F − w)).

    The left sum is over draws of f₀, the right one over as many of f₁: of all estimates from both it has the least
    variance. Each side is monotone in F, which is found by halving.

    Args:
        to: w = u₁(x) − u₀(x) [..., n], nats, at draws x of f₀ = exp(−u₀).
        back: the same [..., n] at draws of f₁.

    Source: Bennett (1976), eq. 12; Shirts, Chodera (2008), section II.
    """
    both = torch.cat([to, back], dim=-1)
    low, high = both.amin(dim=-1), both.amax(dim=-1)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        at = middle[..., None]
        too_high = torch.sigmoid(at - to).sum(dim=-1) > torch.sigmoid(back - at).sum(dim=-1)
        low, high = torch.where(too_high, low, middle), torch.where(too_high, middle, high)
    return (low + high) / 2


def overlaps(to: Tensor, back: Tensor, difference: Tensor) -> Tensor:
    """Returns 2 ∫ p₀p₁/(p₀ + p₁) [...], in [0, 1], of neighbours with a known difference F [...].

    Source: Bennett (1976), section 5.
    """
    at = difference[..., None]
    return torch.sigmoid(at - to).mean(dim=-1) + torch.sigmoid(back - at).mean(dim=-1)


def bridged_log_z(path: Path, moves: Moves, n: int, rng: Generator, *, n_transitions: int) -> BridgedLogZ:
    """Returns log Z of the end of a path by chains that are drawn from its start and stay a while at every density.

    Chains are draws of a density as far as its transitions bring them there: compare few with many.

    Args:
        path: its start is normalised.
        moves: with a step size for each density.
        n: chains.
        rng: of the chains, on their device.
        n_transitions: at each density, before its draws are taken.
    """
    doing(f"bridging to the model, {n_transitions} transitions at each density")
    x, to, back = path.draw(n, rng), [], []
    for k in range(1, len(path) + 1):
        to.append(-finite(path.log_ratio(k, x), "on the way to the model"))
        for _ in range(n_transitions):
            x, _ = moves.at(path, k, x, rng)
        back.append(-finite(path.log_ratio(k, x), "on the way to the model"))
    return bridged(torch.stack(to).cpu(), torch.stack(back).cpu(), rng)


def bridged(to: Tensor, back: Tensor, rng: Generator) -> BridgedLogZ:
    """Returns log Z from the energy differences of K steps and n chains, [K, n] each; see `free_energy_difference`."""
    found = free_energy_difference(to, back)
    draw = torch.Generator().manual_seed(int(torch.randint(2**62, (1,), generator=rng, device=rng.device)))
    rows = torch.randint(to.shape[1], (RESAMPLES, to.shape[1]), generator=draw)
    again = sum(free_energy_difference(one[rows], two[rows]) for one, two in zip(to, back, strict=True))
    assert isinstance(again, Tensor)
    return BridgedLogZ(
        value=-float(found.sum()), error=float(again.std()), overlap=float(overlaps(to, back, found).min())
    )

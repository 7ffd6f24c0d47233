"""Paths of densities from one that is known to one that is asked: what annealed chains go along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Generator, Tensor

from ebmkit.ops.laws import Law

Reduced = Callable[[Tensor], Tensor]
"""−log f(x) [B], nats, up to a constant for all but the base; x [B, *event], differentiable."""


class Path(Protocol):
    """Densities f_0 … f_K on one space; f_0 is normalised and can be drawn from."""

    def __len__(self) -> int:
        """Returns K."""
        ...

    def reduced(self, k: int, x: Tensor) -> Tensor:
        """Returns −log f_k(x) [B], nats."""
        ...

    def log_ratio(self, k: int, x: Tensor) -> Tensor:
        """Returns log f_k(x) − log f_{k − 1}(x) [B] in float64, for k = 1 … K."""
        ...

    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws of f_0."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Geometric:
    """f_k = q^(1 − β_k) exp(−β_k E/T), β from 0 to 1 (Neal, 2001).

    Attributes:
        base: q.
        energy: E/T.
        betas: β_0 = 0 … β_K = 1.
    """

    base: Law
    energy: Reduced
    betas: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.betas) - 1

    def reduced(self, k: int, x: Tensor) -> Tensor:
        """Returns −(1 − β_k) log q(x) + β_k E(x)/T [B]."""
        beta = self.betas[k]
        return beta * self.energy(x) - (1 - beta) * self.base.log_prob(x)

    def log_ratio(self, k: int, x: Tensor) -> Tensor:
        """Returns (β_k − β_{k − 1})(−E(x)/T − log q(x)) [B]."""
        difference = -self.energy(x).double() - self.base.log_prob(x).double()
        return (self.betas[k] - self.betas[k - 1]) * difference

    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws of q."""
        return self.base.draw(n, rng)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ladder:
    """f_0 = q, then a density for each rung, as the levels of a joint model are.

    Attributes:
        base: q.
        rungs: the energies E_1/T … E_K/T.
    """

    base: Law
    rungs: Sequence[Reduced]

    def __len__(self) -> int:
        return len(self.rungs)

    def reduced(self, k: int, x: Tensor) -> Tensor:
        """Returns −log q(x) at k = 0, else E_k(x)/T [B]."""
        return self.rungs[k - 1](x) if k else -self.base.log_prob(x)

    def log_ratio(self, k: int, x: Tensor) -> Tensor:
        """Returns −E_k(x)/T less that of the rung before [B]."""
        return self.reduced(k - 1, x).double() - self.reduced(k, x).double()

    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws of q."""
        return self.base.draw(n, rng)


def refined(
    path: Geometric, step_sizes: Sequence[float], spread: Tensor, n: int
) -> tuple[Geometric, tuple[float, ...]]:
    """Returns a path of n steps with as much s.d. of the log ratio in each, and its step sizes.

    Nine parts of the length of the path in that measure (Gelman, Meng, 1998, section 4.1), and one of the old steps.

    Args:
        path: on which a pilot went.
        step_sizes: that it learnt, one for each density.
        spread: s.d. of its log ratios [K].
        n: steps of the new path.
    """
    old = torch.tensor(path.betas, dtype=torch.float64)
    share = spread.double().cpu() / spread.double().cpu().sum().clamp(min=1e-300)
    places = torch.cat([torch.zeros(1, dtype=torch.float64), (0.9 * share + 0.1 / len(share)).cumsum(dim=0)])
    wanted = torch.linspace(0, float(places[-1]), n + 1, dtype=torch.float64)
    betas = interpolated(wanted, places, old)
    betas[0], betas[-1] = 0.0, 1.0
    sizes = interpolated(betas, old, torch.tensor(step_sizes, dtype=torch.float64).log()).exp()
    return replace(path, betas=tuple(betas.tolist())), tuple(sizes.tolist())


def interpolated(at: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """Returns a function that is linear between increasing places, at other ones."""
    right = torch.searchsorted(places, at).clamp(1, len(places) - 1)
    low, high = places[right - 1], places[right]
    share = ((at - low) / (high - low).clamp(min=1e-300)).clamp(0, 1)
    return values[right - 1] + share * (values[right] - values[right - 1])


def first_betas(n: int) -> tuple[float, ...]:
    """Returns β of the first pilot: (k/n)⁴, dense where an energy begins to be felt."""
    return tuple((k / n) ** 4 for k in range(n + 1))

"""Annealed importance sampling along a path of densities, from a known normaliser to one that is asked, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from typing import Protocol

import torch
from torch import Generator, Tensor

from ebmkit.assembly.build import build
from ebmkit.errors import DivergenceError
from ebmkit.metrics.bases import Base
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import Sampler
from ebmkit.views.view import CallableView

AIM = 0.75
"""Acceptance rate at which the pilots aim."""
LEARNING = 4
"""Transitions of the pilots at each density of the path, after each of which the step is corrected."""

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

    base: Base
    energy: Reduced
    betas: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.betas) - 1

    def reduced(self, k: int, x: Tensor) -> Tensor:
        """Returns −(1 − β_k) log q(x) + β_k E(x)/T [B]."""
        beta = self.betas[k]
        return beta * self.energy(x) - (1 - beta) * self.base.log_density(x)

    def log_ratio(self, k: int, x: Tensor) -> Tensor:
        """Returns (β_k − β_{k − 1})(−E(x)/T − log q(x)) [B]."""
        difference = -self.energy(x).double() - self.base.log_density(x).double()
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

    base: Base
    rungs: Sequence[Reduced]

    def __len__(self) -> int:
        return len(self.rungs)

    def reduced(self, k: int, x: Tensor) -> Tensor:
        """Returns −log q(x) at k = 0, else E_k(x)/T [B]."""
        return self.rungs[k - 1](x) if k else -self.base.log_density(x)

    def log_ratio(self, k: int, x: Tensor) -> Tensor:
        """Returns −E_k(x)/T less that of the rung before [B]."""
        return self.reduced(k - 1, x).double() - self.reduced(k, x).double()

    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws of q."""
        return self.base.draw(n, rng)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moves:
    """Adjusted moves that leave each f_k invariant, with a step size for each.

    Attributes:
        sampler: makes one transition; it is exact, and reversible.
        step_sizes: [K + 1], in units of the sampler's scale.
    """

    sampler: Sampler
    step_sizes: tuple[float, ...]

    def at(self, path: Path, k: int, x: Tensor, rng: Generator) -> tuple[Tensor, float]:
        """Returns x after one transition at f_k, and the share of accepted moves."""
        view = CallableView(lambda point: path.reduced(k, point.x))
        size = torch.tensor(self.step_sizes[k], device=x.device, dtype=x.dtype)
        state = self.sampler.init(Point(x=x), rng, {"step_size": size})
        state, info = self.sampler.step(view, state)
        return state.point.x, float(info.accept_rate.mean())

    def with_step(self, k: int, size: float) -> Moves:
        """Returns the moves with another step size at f_k."""
        return replace(self, step_sizes=(*self.step_sizes[:k], size, *self.step_sizes[k + 1 :]))


def moves_for(base: Base, *, bounds: tuple[float, float] | None, n_moves: int, n_leapfrog: int, n: int) -> Moves:
    """Returns Hamiltonian moves for x in some bounds, scaled by the base, with a first guess of n step sizes."""
    sd = base.sd
    mean = float(sd.double().square().mean().sqrt())
    context = BuildContext(event_shape=tuple(sd.shape), value_range=bounds, temperature=1.0, device=sd.device)
    sampler = build(
        "sampler", "hmc", context=context, moves=n_moves, n_leapfrog=n_leapfrog, adapt="off", step_size_per="",
        scale=() if bounds else tuple((sd / mean).clamp(min=1e-3).flatten().tolist()),
    )  # fmt: skip
    first = mean * sd.numel() ** -0.25
    return Moves(sampler=sampler, step_sizes=(first,) * n)


def pilot(path: Path, moves: Moves, n: int, rng: Generator) -> tuple[Moves, Tensor]:
    """Sends n chains up a path to learn what the chains that count must not: they would no longer be Markov.

    Returns:
        The moves with a step size for each density, and the s.d. [K] of the log ratios along the path.
    """
    x, size, spread = path.draw(n, rng), moves.step_sizes[0], []
    for k in range(1, len(path) + 1):
        spread.append(finite(path.log_ratio(k, x), "on the way to the model").std())
        for _ in range(LEARNING):
            x, rate = moves.with_step(k, size).at(path, k, x, rng)
            size *= exp(rate - AIM)
        moves = moves.with_step(k, size)
    return moves, torch.stack(spread)


def forward(path: Path, moves: Moves, n: int, rng: Generator) -> Tensor:
    """Returns log weights [n], nats, of chains from f_0 to f_K: E exp(w) = Z_K.

    Source: Neal (2001), section 2.
    """
    x = path.draw(n, rng)
    weights = torch.zeros(n, dtype=torch.float64, device=x.device)
    for k in range(1, len(path) + 1):
        weights += finite(path.log_ratio(k, x), "on the way to the model")
        if k < len(path):
            x, _ = moves.at(path, k, x, rng)
    return weights


def reverse(path: Path, moves: Moves, x: Tensor, rng: Generator) -> Tensor:
    """Returns log weights [B], nats, of chains from draws x of f_K back to f_0: E exp(−w) = 1/Z_K.

    Source: Burda, Grosse, Salakhutdinov (2015), section 3.
    """
    weights = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for k in range(len(path), 0, -1):
        weights += finite(path.log_ratio(k, x), "on the way back from the model")
        if k > 1:
            x, _ = moves.at(path, k - 1, x, rng)
    return weights


def settle(path: Path, moves: Moves, x: Tensor, transitions: int, rng: Generator) -> Tensor:
    """Returns x [B, *event] after adjusted transitions at f_K: draws that are nearly of the model become more so."""
    for _ in range(transitions):
        x, _ = moves.at(path, len(path), x, rng)
    return x


def refined(path: Geometric, moves: Moves, spread: Tensor, n: int) -> tuple[Geometric, Moves]:
    """Returns a path of n steps with as much s.d. of the log ratio in each, and its step sizes.

    Nine parts of the length of the path in that measure (Gelman, Meng, 1998, section 4.1), and one of the old steps.

    Args:
        path: on which a pilot went.
        moves: as it learnt them.
        spread: s.d. of its log ratios [K].
        n: steps of the new path.
    """
    old = torch.tensor(path.betas, dtype=torch.float64)
    share = spread.double().cpu() / spread.double().cpu().sum().clamp(min=1e-300)
    places = torch.cat([torch.zeros(1, dtype=torch.float64), (0.9 * share + 0.1 / len(share)).cumsum(dim=0)])
    wanted = torch.linspace(0, float(places[-1]), n + 1, dtype=torch.float64)
    betas = interpolated(wanted, places, old)
    betas[0], betas[-1] = 0.0, 1.0
    sizes = interpolated(betas, old, torch.tensor(moves.step_sizes, dtype=torch.float64).log()).exp()
    return replace(path, betas=tuple(betas.tolist())), replace(moves, step_sizes=tuple(sizes.tolist()))


def interpolated(at: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """Returns a function that is linear between increasing places, at other ones."""
    right = torch.searchsorted(places, at).clamp(1, len(places) - 1)
    low, high = places[right - 1], places[right]
    share = ((at - low) / (high - low).clamp(min=1e-300)).clamp(0, 1)
    return values[right - 1] + share * (values[right] - values[right - 1])


def first_betas(n: int) -> tuple[float, ...]:
    """Returns β of the first pilot: (k/n)⁴, dense where an energy begins to be felt."""
    return tuple((k / n) ** 4 for k in range(n + 1))


def finite(values: Tensor, where: str) -> Tensor:
    """Returns the values; raises DivergenceError where one is not finite."""
    if not bool(torch.isfinite(values).all()):
        raise DivergenceError(
            f"An energy is not finite {where}: there is no log Z to be had from it. Look at the energies of data and "
            "of noise."
        )
    return values


def log_mean_exp(weights: Tensor) -> float:
    """Returns the log of the mean of exp(weights) [n], nats."""
    return float(torch.logsumexp(weights.double(), dim=0)) - log(len(weights))

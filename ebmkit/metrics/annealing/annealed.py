"""Annealed importance sampling along a path of densities, from a known normaliser to one that is asked, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log

import torch
from torch import Generator, Tensor

from ebmkit.assembly.build import build
from ebmkit.errors import DivergenceError
from ebmkit.metrics.annealing.paths import Path
from ebmkit.ops.laws import Law
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import Sampler
from ebmkit.views.view import CallableView

AIM = 0.8
"""Acceptance rate at which the pilots aim."""
SHORTEST = 0.2
"""Shortest step of a transition, of the step size there."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moves:
    """Adjusted moves that leave each f_k invariant, with a step size for each.

    Attributes:
        sampler: makes one transition; it is exact, and reversible.
        step_sizes: [K + 1], in units of the sampler's scale.
    """

    sampler: Sampler
    step_sizes: tuple[float, ...]

    def at(self, path: Path, k: int, x: Tensor, rng: Generator, *, varied: bool = True) -> tuple[Tensor, float]:
        """Returns x after one transition at f_k, and the share of accepted moves.

        A varied step is drawn between a share of the step size and all of it: a trajectory of one length may be half
        a period of a Gaussian, and then changes nothing but the sign (Neal, 2011, section 5.4.2.2).
        """
        view = CallableView(lambda point: path.reduced(k, point.x))
        u = torch.rand((), generator=rng, device=x.device, dtype=x.dtype)
        size = self.step_sizes[k] * (SHORTEST + (1 - SHORTEST) * u if varied else torch.ones_like(u))
        state = self.sampler.init(Point(x=x), rng, {"step_size": size})
        state, info = self.sampler.step(view, state)
        return state.point.x, float(info.accept_rate.mean())

    def with_step(self, k: int, size: float) -> Moves:
        """Returns the moves with another step size at f_k."""
        return replace(self, step_sizes=(*self.step_sizes[:k], size, *self.step_sizes[k + 1 :]))


def moves_for(base: Law, *, bounds: tuple[float, float] | None, n_moves: int, n_leapfrog: int, n: int) -> Moves:
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


def pilot(path: Path, moves: Moves, n: int, rng: Generator, learning: int = 4) -> tuple[Moves, Tensor]:
    """Sends n chains up a path to learn what the chains that count must not: they would no longer be Markov.

    Args:
        path: to go along.
        moves: with a guess of the first step size.
        n: chains.
        rng: of the chains.
        learning: transitions at each density, after each of which the step is corrected.

    Returns:
        The moves with a step size for each density, and the s.d. [K] of the log ratios along the path.
    """
    x, size, spread = path.draw(n, rng), moves.step_sizes[0], []
    for k in range(1, len(path) + 1):
        spread.append(finite(path.log_ratio(k, x), "on the way to the model").std())
        for _ in range(learning):
            x, rate = moves.with_step(k, size).at(path, k, x, rng, varied=False)
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

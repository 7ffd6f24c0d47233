"""log Z from annealed chains in both directions: a value, and an error that holds what it should."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

import torch
from torch import Generator, Tensor

from ebmkit.display.doing import doing
from ebmkit.errors import DataError
from ebmkit.metrics.annealing.annealed import Moves, forward, log_mean_exp, moves_for, pilot, reverse, settle
from ebmkit.metrics.annealing.paths import Geometric, Path, Reduced, first_betas, refined
from ebmkit.ops.laws import Law

RESAMPLES = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Ways:
    """How chains go along a path.

    Attributes:
        n: chains each way.
        n_pilot: chains of the pilots.
        settle: adjusted transitions of the starts of the way back, at the model.
    """

    n: int
    n_pilot: int
    settle: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LogZ:
    """log Z between the two ways, nats.

    log mean exp of the forward weights is below log Z in expectation, −log mean exp(−w) of the reverse weights above
    it, if their starts are draws of the model. Both are nearly always so, up to their standard errors.

    Attributes:
        lower: by the way forward.
        lower_error: its standard error, by a bootstrap over chains.
        upper: by the way back.
        upper_error: likewise.
        effective: the smaller number of chains, of both ways, that the weighted ones are worth.
    """

    lower: float
    lower_error: float
    upper: float
    upper_error: float
    effective: float

    @property
    def value(self) -> float:
        """The middle."""
        return (self.lower + self.upper) / 2

    @property
    def gap(self) -> float:
        """Upper less lower."""
        return self.upper - self.lower

    @property
    def error(self) -> float:
        """Half the gap, and two standard errors of the middle: no standard error, but what holds log Z."""
        return abs(self.gap) / 2 + sqrt(self.lower_error**2 + self.upper_error**2)


def log_z(forward_weights: Tensor, reverse_weights: Tensor, rng: Generator) -> LogZ:
    """Returns log Z of log weights [n] of chains to the model, and [m] of chains back from it, nats.

    Raises:
        DataError: there are fewer than two chains one way.
    """
    if min(len(forward_weights), len(reverse_weights)) < 2:
        raise DataError(
            f"log Z needs two chains each way; found {len(forward_weights)} and {len(reverse_weights)}. Ask for more."
        )
    return LogZ(
        lower=log_mean_exp(forward_weights),
        lower_error=bootstrap_error(forward_weights, rng),
        upper=-log_mean_exp(-reverse_weights),
        upper_error=bootstrap_error(-reverse_weights, rng),
        effective=min(effective_number(forward_weights), effective_number(-reverse_weights)),
    )


def bootstrap_error(weights: Tensor, rng: Generator) -> float:
    """Returns the s.d. of log mean exp of log weights [n] under resampling of them, nats."""
    own = weights.double().cpu()
    rows = torch.randint(len(own), (RESAMPLES, len(own)), generator=rng)
    return float(torch.logsumexp(own[rows], dim=1).std())


def effective_number(weights: Tensor) -> float:
    """Returns (Σ exp w)²/Σ exp 2w of log weights [n] (Kish), between 1 and n."""
    own = weights.double()
    return float((2 * torch.logsumexp(own, dim=0) - torch.logsumexp(2 * own, dim=0)).exp())


def annealed_log_z(
    base: Law,
    energy: Reduced,
    starts: Tensor,
    ways: Ways,
    rng: Generator,
    *,
    n_temperatures: int,
    n_moves: int = 1,
    n_leapfrog: int = 5,
    bounds: tuple[float, float] | None = None,
) -> LogZ:
    """Returns log ∫ exp(−E/T) by annealing between a base and the model, both ways.

    Two pilots learn the temperatures and the step sizes first; the chains that count use what they found as it is.

    Args:
        base: f_0.
        energy: E/T.
        starts: of the way back [m, *event]: draws of the model, for the bound to hold.
        ways: numbers of chains.
        rng: of the chains, on their device.
        n_temperatures: K.
        n_moves: Hamiltonian moves at each temperature.
        n_leapfrog: leapfrog steps of each.
        bounds: of x, where it has any.

    Source: Neal (2001); Grosse, Ghahramani, Adams (2015); Burda, Grosse, Salakhutdinov (2015).
    """
    n = max(n_temperatures // 3, 10)
    path = Geometric(base=base, energy=energy, betas=first_betas(n))
    moves = moves_for(base, bounds=bounds, n_moves=n_moves, n_leapfrog=n_leapfrog, n=n + 1)
    for learning, n_next in ((4, max(n_temperatures // 2, 10)), (3, n_temperatures)):
        doing("learning temperatures and steps of annealing")
        moves, spread = pilot(path, moves, ways.n_pilot, rng, learning)
        path, step_sizes = refined(path, moves.step_sizes, spread, n_next)
        moves = replace(moves, step_sizes=step_sizes)
    return both_ways(path, moves, starts, ways, rng)


def both_ways(path: Path, moves: Moves, starts: Tensor, ways: Ways, rng: Generator) -> LogZ:
    """Returns log Z of the end of a path, with moves whose step sizes are known; see `annealed_log_z`."""
    doing("annealing to the model")
    to = forward(path, moves, ways.n, rng)
    doing("annealing back from the model")
    back = reverse(path, moves, settle(path, moves, starts, ways.settle, rng), rng)
    return log_z(to.cpu(), back.cpu(), on_cpu(rng))


def on_cpu(rng: Generator) -> Generator:
    """Returns a generator on the CPU that another one seeds."""
    return torch.Generator().manual_seed(int(torch.randint(2**62, (1,), generator=rng, device=rng.device)))

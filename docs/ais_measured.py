"""How often the error of annealed importance sampling holds log Z: seeded trials on mixtures with a known one.

Run: python docs/ais_measured.py --trials 100 --dimensions 2

Two Gaussian modes in 2, 16 and 64 dimensions, the settings of metric `ais` but for the number of temperatures; the way
back starts at draws of the mixture. Found with 32 chains each way on one thread, about a second a trial in the plane:

| dimensions | temperatures | trials | log Z within the error | mean error, nats | root mean square off | mean gap |
|---|---|---|---|---|---|---|
| 2 | 50 | 100 | 99 | .136 | .050 | −.004 |
| 16 | 50 | 20 | 19 | .144 | .056 | .007 |
| 64 | 100 | 10 | 10 | .150 | .064 | .015 |
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ebmkit.metrics.annealing.log_z import LogZ, Ways, annealed_log_z
from ebmkit.ops.laws import fitted

SD, DISTANCE = 0.4, 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What some trials found.

    Attributes:
        hits: trials in which log Z was within the error.
        error: mean error, nats.
        distance: root mean square of value less log Z, nats.
        gap: mean gap, nats.
    """

    hits: int
    error: float
    distance: float
    gap: float


def trial(d: int, seed: int, n_temperatures: int, n_chains: int) -> tuple[LogZ, float]:
    """Returns log Z of one seed, and the exact one."""
    rng = torch.Generator().manual_seed(seed)
    mean = torch.full((d,), DISTANCE / math.sqrt(d))

    def energy(x: Tensor) -> Tensor:
        squares = torch.stack([(x - m).square().sum(dim=1) for m in (-mean, mean)], dim=1)
        return -torch.logsumexp(-squares / (2 * SD**2), dim=1)

    def draw(n: int, rng: Generator) -> Tensor:
        return (2.0 * torch.randint(2, (n, 1), generator=rng) - 1) * mean + SD * torch.randn(n, d, generator=rng)

    ways = Ways(n=n_chains, n_pilot=16, settle=20)
    found = annealed_log_z(
        fitted(draw(1_000, rng)), energy, draw(n_chains, rng), ways, rng, n_temperatures=n_temperatures
    )
    return found, math.log(2) + d / 2 * math.log(2 * math.pi * SD**2)


def counted(d: int, trials: int, n_temperatures: int, n_chains: int) -> Counted:
    """Returns how often the error held log Z, in trials of the seeds 0, 1, …"""
    pairs = [trial(d, seed, n_temperatures, n_chains) for seed in range(trials)]
    off = torch.tensor([one.value - exact for one, exact in pairs])
    return Counted(
        hits=sum(abs(one.value - exact) <= one.error for one, exact in pairs),
        error=sum(one.error for one, _ in pairs) / trials,
        distance=float(off.square().mean().sqrt()),
        gap=sum(one.gap for one, _ in pairs) / trials,
    )


def main() -> None:
    """Prints a line for each number of dimensions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--chains", type=int, default=32)
    parser.add_argument("--dimensions", type=int, nargs="+", default=[2, 16, 64])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for d in asked.dimensions:
        n_temperatures = {2: 50, 16: 50}.get(d, 100)
        found = counted(d, asked.trials, n_temperatures, asked.chains)
        print(  # noqa: T201
            f"d = {d}, {n_temperatures} temperatures, {asked.chains} chains each way: within the error in {found.hits} "
            f"of {asked.trials}; mean error {found.error:.3f} nats, root mean square of what it is off "
            f"{found.distance:.3f}, mean gap {found.gap:.3f}"
        )


if __name__ == "__main__":
    main()

"""Measures which part of the entropy's gradient the nearest-neighbour estimate of `improved-cd` has.

Points s·z and references, all standard normal in d dimensions. At s = 1 the entropy rises by d per unit of s; printed
is by how much d times the mean log-distance rises, over d. References stay where they are, as in training.

python docs/entropy_gradient.py            the table of docs/papers/improved-cd.md
"""

from __future__ import annotations

import sys

import torch
from ebmkit_improved_cd.entropy import log_nearest_distance
from torch import Tensor

REFERENCES, DIMENSIONS = (100, 1_000, 10_000), (2, 10, 100, 784)
EPSILON = 1e-4


def share(n_references: int, dimension: int, *, n_sets: int = 40, n_points: int = 1_000, seed: int = 0) -> Tensor:
    """Returns the share of the true gradient that the estimate has, [n_sets], by sets of references.

    d/ds E f(s·z) at s = 1 is the covariance of f(z) and |z|² (Stein's identity). Unlike the mean of z·∇f it has a
    variance at d = 2, where gradients are as 1/distance.

    Args:
        n_references: rows among which the nearest neighbour is sought.
        dimension: d.
        n_sets: how often references are drawn anew.
        n_points: points for each set.
        seed: of everything.
    """
    rng, found = torch.Generator().manual_seed(seed), []
    for _ in range(n_sets):
        references = torch.randn(n_references, dimension, generator=rng)
        z = torch.randn(n_points, dimension, generator=rng)
        pair = torch.stack([log_nearest_distance(z, references, EPSILON), z.square().sum(dim=1)])
        found.append(torch.cov(pair)[0, 1])
    return torch.stack(found)


def main() -> int:
    """Prints the table, a row for each number of references."""
    sys.stdout.write(f"| references | {' | '.join(f'd = {d}' for d in DIMENSIONS)} |\n")
    sys.stdout.write("|---" * (len(DIMENSIONS) + 1) + "|\n")
    for n_references in REFERENCES:
        sets = [share(n_references, dimension) for dimension in DIMENSIONS]
        cells = [f"{one.mean():.2f} ± {one.std() / len(one) ** 0.5:.2f}" for one in sets]
        sys.stdout.write(f"| {n_references:,} | {' | '.join(cells)} |\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

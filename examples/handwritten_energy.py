"""Sample an energy written by hand, and compare the moments of the draws with the exact ones.

Run: python examples/handwritten_energy.py
"""

from __future__ import annotations

import torch
from torch import Tensor

import ebmkit

EXACT = {"mean x₁": 0.0, "mean x₂": 0.5, "variance x₁": 1.0, "variance x₂": 1.5, "covariance": 0.0}


def banana(point: ebmkit.Point) -> Tensor:
    """Returns E [B], nats, of x₁ ~ N(0, 1) and x₂ ~ N(x₁²/2, 1): every moment is known."""
    first, second = point.x.unbind(dim=1)
    return first.square() / 2 + (second - first.square() / 2).square() / 2


def moments(x: Tensor) -> dict[str, float]:
    """Returns the first two moments of draws [n, 2]."""
    covariance = torch.cov(x.T)
    values = [*x.mean(dim=0), covariance[0, 0], covariance[1, 1], covariance[0, 1]]
    return {name: float(value) for name, value in zip(EXACT, values, strict=True)}


def main(chains: int = 2000, transitions: int = 100) -> dict[str, float]:
    """Samples and returns the moments."""
    # Outside a run the temperature is 1, so σ = √(2η): with η → 0 the moves have exp(−E) as their law.
    sampler = ebmkit.build("sampler", "sgld", step_size=0.02, moves=20)
    samples = ebmkit.sample(
        banana, sampler, torch.zeros(chains, 2), transitions=transitions, burn_in=20, thin=5, seed=0
    )
    found = moments(samples.x.flatten(0, 1))
    print(f"{samples.x.shape[0]} draws of {chains} chains, {samples.n_gradients} gradients each")
    for name, value in found.items():
        print(f"  {name:<12} {value:7.3f}   exact {EXACT[name]:5.2f}")
    return found


if __name__ == "__main__":
    main()

"""Prints how Barker and MALA bear a wrong step size: python robustness.py

The law is a Gaussian of 20 independent entries, 19 of s.d. 1 and one of s.d. 0.1. Chains start in the law. A jump is
the mean of (x' - x)² over the 19 wide entries and over all moves, refused ones included: what is large mixes fast.
"""

import torch

import ebmkit

SCALES = torch.ones(20).index_fill(0, torch.tensor([0]), 0.1)
STEPS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8)
N = 2_000


def energy(x: torch.Tensor) -> torch.Tensor:
    """Returns −log density of x [B, 20] up to a constant, nats."""
    return (x / SCALES).square().sum(1) / 2


def measured(sampler: str, step: float) -> tuple[float, float]:
    """Returns the acceptance and the mean squared jump of one move, over 2,000 chains that start in the law."""
    start = torch.randn(N, 20, generator=torch.Generator().manual_seed(0)) * SCALES
    moving = ebmkit.build("sampler", sampler, moves=1, step_size=step)
    state = moving.init(ebmkit.Point(x=start), torch.Generator().manual_seed(1))
    after, info = moving.step(ebmkit.view(ebmkit.energy(energy)), state)
    jumps = (after.point.x - start)[:, 1:].square().mean()
    return float(info.accept_rate.mean()), float(jumps)


if __name__ == "__main__":
    print("| step | MALA accepts | jump | Barker accepts | jump |\n|---|---|---|---|---|")
    for step in STEPS:
        rows = [f"{rate:.3f} | {jump:.5f}" for rate, jump in (measured(name, step) for name in ("mala", "barker"))]
        print(f"| {step:g} | " + " | ".join(rows) + " |")

"""Train an energy on a density in the plane, and draw what it learnt beside the data.

Run: python examples/toy_density.py --density eight-gaussians --steps 1500 --out runs/toy
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

import ebmkit

HALF_WIDTH, N_CELLS = 3.5, 160


def recipe(density: str, steps: int) -> dict[str, dict[str, object]]:
    """Returns the recipe; at temperature 1, exp(−E) is the density itself, up to a constant."""
    return {
        "run": {"steps": steps, "batch_size": 256, "temperature": 1.0},
        "data": {"use": "toy", "density": density},
        "energy": {"use": "mlp", "widths": [128, 128, 128], "activation": "leaky-relu"},
        "sampler": {"use": "sgld", "moves": 10, "step_size": 0.005},
        "buffer": {"use": "replay", "capacity": 2048, "reinit": 0.02},
        "objective": {"use": "cd"},
        "optim": {"energy": {"lr": 5e-3}},
    }


def plane() -> Tensor:
    """Returns the centres [N², 2] of the cells of a square, row by row from below."""
    axis = (torch.arange(N_CELLS) + 0.5) / N_CELLS * 2 * HALF_WIDTH - HALF_WIDTH
    return torch.cartesian_prod(axis, axis).flip(1)


@torch.no_grad()
def log_density(energy: Callable[[ebmkit.Point], Tensor], x: Tensor, temperature: float) -> Tensor:
    """Returns log p of every cell, nats per unit area, with the normaliser summed over the square."""
    unnormalised = -energy(ebmkit.Point(x=x)) / temperature
    return unnormalised - torch.logsumexp(unnormalised, dim=0) - 2 * math.log(2 * HALF_WIDTH / N_CELLS)


def draw(data: Tensor, log_p: Tensor, path: Path) -> None:
    """Draws the data and the learnt density side by side."""
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    left.set(title="data", aspect="equal")
    left.scatter(*data.T.numpy(), s=2, alpha=0.4)
    extent = (-HALF_WIDTH, HALF_WIDTH, -HALF_WIDTH, HALF_WIDTH)
    right.imshow(log_p.exp().view(N_CELLS, N_CELLS).numpy(), origin="lower", extent=extent, cmap="magma")
    right.set_title("learnt density exp(−E/T) / Z")
    figure.savefig(path, dpi=100)


def main(arguments: Sequence[str] | None = None) -> float:
    """Trains, draws and returns how far the learnt density is from the data, nats."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--density", default="eight-gaussians", choices=["eight-gaussians", "rings", "checkerboard"])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--out", type=Path, default=Path("runs/toy"))
    options = parser.parse_args(arguments)
    run = ebmkit.run(recipe(options.density, options.steps), out=options.out)
    data = ebmkit.build("dataset", "toy", density=options.density)
    x = data.batch(torch.arange(4000), torch.Generator().manual_seed(0)).x
    log_p = log_density(run.energy, plane(), run.recipe.table("run").temperature)
    draw(x, log_p, options.out / "density.png")
    nearest = ((x + HALF_WIDTH) / (2 * HALF_WIDTH) * N_CELLS).long().clamp(0, N_CELLS - 1)
    divergence = float((data.log_density(x) - log_p[nearest[:, 1] * N_CELLS + nearest[:, 0]]).mean())
    print(f"KL(data ‖ model) ≈ {divergence:.3f} nats after {run.step} steps; picture: {options.out / 'density.png'}")
    return divergence


if __name__ == "__main__":
    main()

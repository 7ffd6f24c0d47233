"""Four rings without chains: how near the density comes to the data for how much processor time.

Each run is the recipe `chain-free-rings` with its own number of steps, since its learning rate ends with them. Printed
are the processor seconds of training, imports left out, and both KL divergences by quadrature.

Run: python examples/chain_free_rings.py --steps 600 1200 2400 --seed 0
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from tempfile import TemporaryDirectory

import torch

import ebmkit
from ebmkit.recipes.recipe import parse_override

QUIET = (
    "pictures.every=1000000",
    "pictures.n=1",
    "checkpoint.every=1000000",
    "log.every=100000",
    "log.tensorboard=false",
)


def train(steps: int, seed: int, overrides: Sequence[str]) -> tuple[float, dict[str, float]]:
    """Returns processor seconds of training and the numbers of the density in the plane."""
    changes = [parse_override(text) for text in (*QUIET, *overrides)]
    recipe = ebmkit.as_recipe("chain-free-rings").with_overrides(
        [*changes, ("run.steps", steps), ("run.seed", seed), ("run.device", "cpu")]
    )
    clock = [time.process_time()]
    with TemporaryDirectory() as folder:
        run = ebmkit.run(recipe, out=f"{folder}/run", watch=lambda _: clock.append(time.process_time()))
        found = ebmkit.evaluate(run, "density-2d").metric("density-2d")
    return clock[-1] - clock[0], {name: one.value for name, one in found.estimates.items()}


def main(arguments: Sequence[str] | None = None) -> list[tuple[float, dict[str, float]]]:
    """Trains once for each number of steps, prints a line of each and returns them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[600, 1200, 2400])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="K=V", help="as in `ebmkit run --set`")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = [train(steps, options.seed, options.set) for steps in options.steps]
    for steps, (spent, numbers) in zip(options.steps, found, strict=True):
        told = ", ".join(f"{name} {value:.4f}" for name, value in numbers.items())
        print(f"seed {options.seed}, {steps:,} steps, {spent:.1f} s: {told}", flush=True)
    return found


if __name__ == "__main__":
    main()

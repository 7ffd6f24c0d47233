"""CLEL in Python: train on garments, then sample freely and given a latent.

Run: python examples/clel_fashion.py --out runs/clel (minutes; --steps 100 for a first look)
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

import ebmkit
from ebmkit import as_recipe, generate
from ebmkit.display.progress import Progress
from ebmkit.evaluation.pictures import save_picture
from ebmkit.recipes.recipe import parse_override

CONDITIONS = {
    "class": "class:Bag",
    "both": "class:Trouser*1,class:Dress*1",
    "without": "class:Pullover*1,class:Coat*-0.5",
}


def tell(progress: Progress) -> None:
    """Prints the losses and metrics of a logged step."""
    if progress.values:
        print(f"step {progress.step} of {progress.steps}: E⁺ − E⁻ = {progress.values['gap']:.2e} nats", flush=True)


def main(arguments: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
    """Trains, samples, draws one picture a condition, and returns the samples by name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/clel"))
    parser.add_argument("--steps", type=int, help="training steps; unset: those of the recipe")
    parser.add_argument("--set", action="append", default=[], metavar="K=V", help="as in `ebmkit run --set`")
    parser.add_argument("-n", type=int, default=64, help="chains a picture")
    parser.add_argument("--transitions", type=int, help="transitions a chain; unset: those of the recipe")
    parser.add_argument("--strength", type=float, help="β of a given latent, nats; unset: that of training")
    options = parser.parse_args(arguments)

    recipe = as_recipe("clel-fashion").with_overrides(parse_override(s) for s in options.set)
    if options.steps:
        recipe = recipe.with_overrides([("run.steps", options.steps)])
    ebmkit.run(recipe, out=options.out, watch=tell)

    run = ebmkit.load(options.out)  # averaged weights; the data set is needed only for "class:…"
    found = {"free": generate(run.model, options.n, transitions=options.transitions).x}
    for name, latent in CONDITIONS.items():
        drawn = generate(
            run.model,
            options.n,
            given={"latent": latent},
            strength=options.strength,
            transitions=options.transitions,
            seed=1,
        )
        found[name] = drawn.x
    for name, x in found.items():
        picture = options.out / f"{name}.png"
        save_picture(x, run.data.value_range, picture)
        print(f"{picture}: {len(x)} chains, {CONDITIONS.get(name, 'no condition')}, mean {float(x.mean()):.3f}")
    return found


if __name__ == "__main__":
    main()

"""What `make demo` does: train on 6,000 garments, then look at fresh samples beside their nearest training images.

The recipe is `staged-fashion-long`, for a quarter of its steps: noise levels and scores without chains first, then the
same with persistent chains that are annealed from noise.

python examples/demo.py --out runs/demo
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch

import ebmkit
from ebmkit import generate
from ebmkit.metrics.classes import shares
from ebmkit.metrics.features.named import load_features
from ebmkit.metrics.memorisation import nearest, pairs

RECIPE = (
    "--recipe staged-fashion-long --data fashion-mini "
    "--set stage.chain-free.steps=2400 --set stage.annealed.steps=400 --set pictures.every=1400"
)


def free_directory(wanted: Path) -> Path:
    """Returns the directory, or the first of wanted-2, wanted-3, … that holds nothing yet."""
    names = [wanted, *(wanted.with_name(f"{wanted.name}-{i}") for i in range(2, 1000))]
    return next(path for path in names if not path.exists())


def draw(x: torch.Tensor, data: torch.Tensor, path: Path, n: int = 40) -> None:
    """Draws samples and, below each row of them, the nearest training images."""
    shown = x[:n]
    _, index = nearest(shown.flatten(1), data.flatten(1))
    pairs(shown, data[index], (0.0, 1.0), scale=3).save(path)


def report(x: torch.Tensor, event_shape: tuple[int, ...], least: float = 0.03) -> int:
    """Prints the share of each class among x, by the classifier that ships; returns how many have at least 3 %."""
    garments = load_features("garments", event_shape, (0.0, 1.0))
    each = shares(garments.logits(x).argmax(dim=1), len(garments.classes))
    print(f"{len(x)} fresh chains by a classifier that ships with ebmkit ({garments.source}):")
    for name, share in zip(garments.classes, each.tolist(), strict=True):
        print(f"  {name:<12} {share:6.1%}  {'█' * round(40 * share)}")
    covered = int((each >= least).sum())
    print(f"{covered} of {len(garments.classes)} classes have at least {least:.0%}")
    return covered


def main() -> None:
    """Trains, samples, counts, draws, and names what it made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"))
    parser.add_argument("-n", type=int, default=1000, help="fresh chains")
    parser.add_argument("--set", action="append", default=[], help="as in ebmkit run")
    options = parser.parse_args()
    out = free_directory(options.out)
    command = [sys.executable, "-m", "ebmkit", "run", *RECIPE.split(), "--out", str(out)]
    subprocess.run([*command, *(word for setting in options.set for word in ("--set", setting))], check=True)
    print(f"\nSampling {options.n} fresh chains from noise …", flush=True)
    drawn = generate(ebmkit.load(out).model, options.n)
    data = ebmkit.build("dataset", "fashion-mini")
    training = data.batch(torch.arange(len(data)), torch.Generator().manual_seed(0)).x
    draw(drawn.x, training, out / "demo.png")
    print(f"{drawn.n_gradients} gradients a chain, {drawn.seconds:.0f} s")
    report(drawn.x, data.event_shape)
    print(f"\nPicture: {out / 'demo.png'} (rows of fresh samples; below each, its nearest training image)")
    print(f"Run:     {out}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)

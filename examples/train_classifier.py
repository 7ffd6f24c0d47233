"""Trains the small classifier of garments whose features the metrics use, and writes it as safetensors.

python examples/train_classifier.py --out garments.safetensors                      # 6,000 images that ship with ebmkit
python examples/train_classifier.py --root DIR --out garments.safetensors           # the 60,000 of Fashion-MNIST

The weights that ship (`ebmkit/metrics/features/weights/garments.safetensors`) were made by the second command, with
`--epochs 6 --seed 0`. Test images are looked at once, after training, for the accuracy.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Generator, Tensor, nn

import ebmkit
from ebmkit.metrics.features.networks import GarmentsNet

LICENCE = "Weights by the authors of ebmkit, Apache-2.0; trained on Fashion-MNIST (Zalando SE, MIT licence)"


def moved(x: Tensor, rng: Generator, most: int = 2) -> Tensor:
    """Returns images [B, 1, H, W] shifted by up to so many pixels, half of them mirrored."""
    sides = x.shape[-1]
    wide = nn.functional.pad(x, (most, most, most, most))
    corners = torch.randint(0, 2 * most + 1, (2, len(x)), generator=rng)
    along = torch.arange(sides)
    rows, columns = corners[0, :, None] + along, corners[1, :, None] + along
    mirrored = torch.rand(len(x), generator=rng) < 0.5
    columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    index = torch.arange(len(x))[:, None, None]
    return wide[index, 0, rows[:, :, None], columns[:, None, :]][:, None]


def train(dataset: ebmkit.Dataset, epochs: int, seed: int, batch_size: int) -> GarmentsNet:
    """Returns a classifier trained by AdamW under one cycle of the learning rate."""
    rng = ebmkit.stream(seed, 0, "train_classifier")
    with ebmkit.seeded(seed):
        net = GarmentsNet(dataset.n_classes).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.02)
    steps = epochs * (len(dataset) // batch_size)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.2)
    begun = time.monotonic()
    for epoch in range(epochs):
        for rows in torch.split(torch.randperm(len(dataset), generator=rng), batch_size):
            if len(rows) < batch_size:
                continue
            batch = dataset.batch(rows, rng)
            loss = nn.functional.cross_entropy(net(moved(batch.x, rng))[1], batch.y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
        print(f"epoch {epoch + 1}: loss {float(loss.detach()):.3f}, {time.monotonic() - begun:.0f} s", flush=True)
    return net.eval()


@torch.no_grad()
def accuracy(net: nn.Module, dataset: ebmkit.Dataset) -> float:
    """Returns the share of right classes on a data set."""
    everything = dataset.batch(torch.arange(len(dataset)), ebmkit.stream(0, 0, "accuracy"))
    found = torch.cat([net(chunk)[1].argmax(dim=1) for chunk in torch.split(everything.x, 500)])
    return float((found == everything.y).float().mean())


def main(arguments: Sequence[str] | None = None) -> float:
    """Trains, measures, writes; returns the test accuracy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="file of the weights, .safetensors")
    parser.add_argument("--root", default=None, help="folder with the idx files; unset, fashion-mini")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--limit", type=int, default=0, help="only so many training images; 0 for all")
    options = parser.parse_args(arguments)
    name = "fashion-mnist" if options.root else "fashion-mini"
    where = {"root": options.root} if options.root else {}
    dataset = ebmkit.build("dataset", name, limit=options.limit, **where)
    net = train(dataset, options.epochs, options.seed, options.batch_size)
    right = accuracy(net, ebmkit.build("dataset", name, split="test", **where))
    about = {
        "architecture": "garments",
        "classes": json.dumps(dataset.class_names),
        "source": f"{len(dataset):,} training images of {name}, {options.epochs} epochs; test accuracy {right:.4f}",
        "licence": LICENCE,
    }
    tensors = {key: value.contiguous() for key, value in net.state_dict().items()}
    save_file({key: value for key, value in tensors.items() if not key.endswith("num_batches_tracked")},
              options.out, metadata=about)  # fmt: skip
    print(f"test accuracy {right:.2%}; {options.out}, {options.out.stat().st_size / 1e6:.2f} MB")
    return right


if __name__ == "__main__":
    main()

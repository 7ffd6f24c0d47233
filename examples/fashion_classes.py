"""Which garments do fresh samples show? Counted by a classifier that the energy has never met.

python examples/fashion_classes.py runs/demo -n 2000
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from torch import Tensor, nn

import ebmkit
from ebmkit import generate


def classifier(dataset, epochs: int = 6) -> tuple[nn.Module, float]:
    """Trains a small network on the images and labels of a set; returns it with its accuracy on the test part."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, dataset.n_classes),
    )  # fmt: skip
    rng = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(dataset), generator=rng), 64):
            batch = dataset.batch(rows, rng)
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(batch.x), batch.y).backward()
            optimiser.step()
    held_out = dataset.split("test")
    test = held_out.batch(torch.arange(len(held_out)), rng)
    return net.eval(), float((classes(net, test.x) == test.y).float().mean())


@torch.no_grad()
def classes(net: nn.Module, x: Tensor) -> Tensor:
    """Returns the most likely class of each image."""
    return torch.cat([net(chunk).argmax(dim=1) for chunk in torch.split(x, 250)])


def report(x: Tensor, net: nn.Module, accuracy: float, names: Sequence[str]) -> int:
    """Prints the share of each class among x; returns how many have at least 3 %."""
    shares = torch.bincount(classes(net, x), minlength=len(names)).float() / len(x)
    print(f"{len(x)} fresh chains by a classifier with {accuracy:.1%} test accuracy:")
    for name, share in zip(names, shares.tolist(), strict=True):
        print(f"  {name:<12} {share:6.1%}  {'█' * round(40 * share)}")
    covered = int((shares >= 0.03).sum())
    print(f"{covered} of {len(names)} classes have at least 3 %")
    return covered


def main(arguments: Sequence[str] | None = None) -> int:
    """Samples a run and counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="run directory")
    parser.add_argument("-n", type=int, default=2000, help="fresh chains")
    parser.add_argument("--transitions", type=int, default=None, help="transitions of each chain")
    parser.add_argument("--data", default="fashion-mini", help="labelled set that the classifier learns from")
    parser.add_argument("--root", default=None, help="where that set lies")
    options = parser.parse_args(arguments)
    trained = ebmkit.load(options.run)
    drawn = generate(trained.model, options.n, transitions=options.transitions)
    print(f"{drawn.n_gradients} gradients a chain, {drawn.seconds:.0f} s")
    data = ebmkit.build("dataset", options.data, **({"root": options.root} if options.root else {}))
    net, accuracy = classifier(data, epochs=6 if len(data) < 20_000 else 2)
    return report(drawn.x, net, accuracy, data.class_names)


if __name__ == "__main__":
    main()

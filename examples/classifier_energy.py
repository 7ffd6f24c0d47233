"""A classifier's logits as an energy, E(x) = −log Σ exp(logits): low where the classifier sees evidence of some class.

Run: python examples/classifier_energy.py
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import ebmkit
from ebmkit import Dataset, Energy


def train_classifier(data: Dataset, steps: int) -> nn.Module:
    """Returns a small network with logits [B, K], trained for a few steps."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2), nn.SiLU(), nn.Conv2d(16, 32, 5, stride=2), nn.SiLU(),
        nn.Flatten(), nn.Linear(32 * 16, data.n_classes),
    )  # fmt: skip
    optimiser, rng = torch.optim.Adam(net.parameters(), 2e-3), torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = data.batch(torch.randint(len(data), (64,), generator=rng), rng)
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(batch.x), batch.y).backward()
        optimiser.step()
    return net


@torch.no_grad()
def energies(energy: Energy, named: dict[str, Tensor]) -> dict[str, float]:
    """Prints and returns the mean energy of each set of images, nats."""
    found = {name: float(energy(ebmkit.Point(x=x)).mean()) for name, x in named.items()}
    for name, value in found.items():
        print(f"  {name:<28} {value:8.2f} nats")
    return found


def main(steps: int = 200, transitions: int = 3) -> dict[str, float]:
    """Trains, compares energies and samples; returns the mean energies."""
    data = ebmkit.build("dataset", "fashion-mini")
    net = train_classifier(data, steps)
    energy = ebmkit.energy(net, output="logits")

    rng = torch.Generator().manual_seed(1)
    test = data.split("test").batch(torch.arange(500), rng)
    accuracy = float((net(test.x).argmax(dim=1) == test.y).float().mean())
    noise = torch.rand(test.x.shape, generator=rng)
    print(f"Classifier: {accuracy:.0%} of the test garments right after {steps} steps. Mean energies:")

    # Langevin moves inside [0, 1]: clamped, because the context knows the value range of the data.
    context = ebmkit.BuildContext(event_shape=data.event_shape, value_range=data.value_range)
    sampler = ebmkit.build("sampler", "sgld", context=context, step_size=0.05, noise=0.005, moves=20)
    samples = ebmkit.sample(energy, sampler, noise[:64], transitions=transitions, seed=0)
    images = {"garments": test.x, "garments upside down": test.x.flip(2), "noise": noise}
    found = energies(energy, {**images, "chains started at noise": samples.x[-1]})
    print("Only ratios of classes were trained, not p(x): chains find lower energies than any garment has.")
    return found


if __name__ == "__main__":
    main()

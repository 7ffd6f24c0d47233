"""A metric for tests, its failing and its demanding sibling, and a small trained model."""

from __future__ import annotations

from functools import cache

import torch
from PIL import Image

import ebmkit
from ebmkit import Component, Estimate, Measured, Subject
from ebmkit.errors import DataError
from ebmkit.plugins.component import Need, NoConfig
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.host import host


class Moments:
    def measure(self, subject: Subject) -> Measured:
        x, data = subject.samples().x, subject.held_out().x
        energy = subject.energy(data)
        found = {"mean": x.mean(), "energy": energy.mean(), "noise": torch.rand((), generator=subject.rng("moments"))}
        return Measured(
            estimates={key: Estimate(float(value), 0.1, len(x)) for key, value in found.items()},
            definition="moments of samples and of energies",
            histograms={"energy": {"data": energy}},
            pictures={"a view": Image.new("L", (4, 4))},
        )


class Failing:
    def measure(self, subject: Subject) -> Measured:
        raise DataError("there is no number to be had")


def build_moments(config: NoConfig, context: BuildContext) -> Moments:
    return Moments()


def build_failing(config: NoConfig, context: BuildContext) -> Failing:
    return Failing()


PARTS: dict[str, tuple[Need, ...]] = {
    "moments": (),
    "failing": (),
    "needing": (Need("energy.latent", otherwise="Train one"),),
}


def register() -> None:
    for name, needs in PARTS.items():
        build = f"{__name__}:build_{'failing' if name == 'failing' else 'moments'}"
        if name not in host().names("metric"):
            ebmkit.register(Component(kind="metric", name=name, build=build, summary="for tests", needs=needs))


@cache
def small_model() -> ebmkit.Model:
    """Two steps on the rings."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.SiLU(), torch.nn.Linear(8, 1))
    with ebmkit.seeded(0):
        for layer in (net[0], net[2]):
            layer.reset_parameters()
    return ebmkit.fit(net, "toy:rings", steps=2, batch_size=8, progress=False)

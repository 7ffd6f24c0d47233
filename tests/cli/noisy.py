"""A noise level of four values and an energy that gives all of them at once, for runs that sample by visits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor, nn

from ebmkit import BuildContext, Component, Point
from ebmkit.plugins.component import NoConfig

N = 4


class Noise:
    """x plus normal noise of s.d. half the level; fresh chains for generation start at the last level."""

    name = "noise"
    n_values = N
    noises_x = True
    leaves_data = True

    def lift(self, batch: Any, point: Point, rng: Generator) -> Point:
        level = torch.randint(N, (len(point),), generator=rng)
        noise = torch.randn(point.x.shape, generator=rng)
        return point.replace(x=point.x + _as(level, point.x) / 2 * noise).with_aux(noise=level)

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        level = torch.full((n,), N - 1) if purpose == "generation" else torch.arange(n) % N
        return point.with_aux(noise=level)

    def clean(self, point: Point) -> Point:
        return point.with_aux(noise=torch.zeros(len(point), dtype=torch.int64))

    def is_data(self, point: Point) -> Tensor:
        return point.aux["noise"] == 0

    def signal(self, point: Point) -> Tensor:
        return 1 / (1 + point.aux["noise"])

    def to_data(self, point: Point) -> Tensor:
        return point.x


class Well(nn.Module):
    """‖x − c‖²/2s² + d log s with s = 1 + t/2: every level is equally likely."""

    abilities = frozenset({"levels.noise"})

    def __init__(self) -> None:
        super().__init__()
        self.centre = nn.Parameter(torch.zeros(()))

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        squares = (point.x - self.centre).flatten(1).square().sum(dim=1, keepdim=True)
        sd = 1 + torch.arange(N) / 2
        every = squares / (2 * sd**2) + point.x[0].numel() * sd.log()
        one = every.gather(1, point.aux["noise"][:, None])[:, 0] if "energy" in abilities else every
        return {name: every if name == "levels.noise" else one for name in abilities}

    def forward(self, point: Point) -> Tensor:
        return self.evaluate(point, "energy")["energy"]


def build_noise(config: NoConfig, context: BuildContext) -> Noise:
    return Noise()


def build_well(config: NoConfig, context: BuildContext) -> Well:
    return Well()


def _as(level: Tensor, x: Tensor) -> Tensor:
    return level.view(-1, *[1] * (x.ndim - 1)).to(x)


COMPONENTS = (
    Component(
        kind="coordinate", name="noise", build="tests.cli.noisy:build_noise", summary="noise", gives=("point.discrete",)
    ),
    Component(
        kind="energy", name="well", build="tests.cli.noisy:build_well", summary="a well", gives=("energy.levels.noise",)
    ),
)

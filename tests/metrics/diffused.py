"""A noise level as a coordinate, and models with it in closed form: shared by the tests of metrics."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ebmkit.data.spec import DataSpec
from ebmkit.point import Point
from ebmkit.recipes.recipe import Recipe
from ebmkit.sampling.model import Model

KEPT = (1.0, 0.8, 0.4, 0.05)
"""ᾱ at each level."""


class Noise:
    """Level t of x_t ~ N(√ᾱ_t x, (1 − ᾱ_t) I), x as chains hold it: data in a range scaled to [−1, 1]."""

    name, noises_x, leaves_data = "noise", True, True

    def __init__(self, value_range: tuple[float, float] | None = None, kept: tuple[float, ...] = KEPT) -> None:
        self.value_range, self.kept, self.n_values = value_range, torch.tensor(kept), len(kept)

    def noise(self, point: Point) -> tuple[Tensor, Tensor]:
        kept = self.kept[point.aux["noise"]]
        return kept.sqrt(), (1 - kept).sqrt()

    def lift(self, batch: Any, point: Point, rng: Any) -> Point:
        level = torch.randint(self.n_values, (len(point),), generator=rng)
        kept = self.kept[level][:, None]
        noise = torch.randn(point.x.shape, generator=rng)
        return point.replace(x=kept.sqrt() * self._scaled(point.x) + (1 - kept).sqrt() * noise).with_aux(noise=level)

    def prior(self, n: int, point: Point, rng: Any, purpose: str = "buffer") -> Point:
        x = torch.randn(point.x.shape, generator=rng)
        return point.replace(x=x).with_aux(noise=torch.full((n,), self.n_values - 1))

    def clean(self, point: Point) -> Point:
        return point.with_aux(noise=torch.zeros(len(point), dtype=torch.int64))

    def is_data(self, point: Point) -> Tensor:
        return point.aux["noise"] == 0

    def signal(self, point: Point) -> Tensor:
        return self.kept[point.aux["noise"]]

    def from_data(self, point: Point) -> Point:
        return point.replace(x=self._scaled(point.x))

    def to_data(self, point: Point) -> Tensor:
        if self.value_range is None:
            return point.x
        low, high = self.value_range
        return low + (point.x + 1) * ((high - low) / 2)

    def _scaled(self, x: Tensor) -> Tensor:
        if self.value_range is None:
            return x
        low, high = self.value_range
        return (x - low) * (2 / (high - low)) - 1


def model_of(
    energy: Any,
    *coordinates: Any,
    sampler: Any = None,
    event_shape: tuple[int, ...] = (2,),
    value_range: tuple[float, float] | None = None,
    temperature: float = 1.0,
    tuning: Any = None,
) -> Model:
    """Returns a model of an energy, with whatever sampler and coordinates."""
    data = DataSpec(event_shape=event_shape, value_range=value_range, n_classes=0, class_names=(), n_data=10)
    tables = {"run": {"temperature": temperature, "precision": "fp32", "seed": 0}}
    return Model(
        recipe=Recipe(tables=tables), energy=energy, sampler=sampler, objectives={}, coordinates=coordinates,
        data=data, device=torch.device("cpu"), tuning=tuning or {},
    )  # fmt: skip

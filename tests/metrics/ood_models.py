"""Models whose values of every x are known in closed form, as far as out-of-distribution values ask them."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from ebmkit.coordinates.label import Label
from ebmkit.data.spec import DataSpec
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from tests.cli.noisy import Noise, Well

TEMPERATURE = 0.5


def spec(shape: tuple[int, ...] = (2,), value_range: tuple[float, float] | None = None, **more: Any) -> DataSpec:
    return DataSpec(
        **{"event_shape": shape, "value_range": value_range, "n_classes": 0, "class_names": (), "n_data": 9, **more}
    )


def quadratic(point: Point) -> Tensor:
    """½‖x‖², nats."""
    return point.x.flatten(1).square().sum(dim=1) / 2


class Shifted:
    """½‖x − y‖² of a label y."""

    def __call__(self, point: Point) -> Tensor:
        return (point.x - point.aux["label"][:, None]).square().sum(dim=1) / 2


class Directed:
    """½‖x‖² with the direction of x as its latent."""

    abilities = frozenset({"latent"})

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        known = {"energy": quadratic(point), "latent": torch.nn.functional.normalize(point.x, dim=1)}
        return {name: known[name] for name in abilities}

    def __call__(self, point: Point) -> Tensor:
        return quadratic(point)


class Plain:
    """½‖x‖² with x as its features."""

    abilities = frozenset({"features"})

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        known = {"energy": quadratic(point), "features": point.x}
        return {name: known[name] for name in abilities}

    def __call__(self, point: Point) -> Tensor:
        return quadratic(point)


class FirstAxis:
    """An encoder that sees the first axis in everything."""

    def encode(self, x: Tensor) -> Tensor:
        return torch.eye(x.shape[1])[0].expand(len(x), -1)


def model(energy: Any = quadratic, **more: Any) -> Any:
    """A model of which only what values ask is there."""
    whole = {
        "energy": energy, "temperature": TEMPERATURE, "coordinates": (), "objectives": {}, "data": spec(),
        "device": torch.device("cpu"), "name": "the model", **more,
    }  # fmt: skip
    return SimpleNamespace(**whole)


def labelled() -> Any:
    return model(Shifted(), coordinates=(Label(3),))


def guided() -> Any:
    return model(Directed(), objectives={"clel": FirstAxis()})


def featured(n_data: int = 400) -> Any:
    return model(Plain(), data=spec(n_data=n_data), context=BuildContext)


def levelled() -> Any:
    """ddpm-like: four levels, each of them equally likely."""
    return model(Well(), coordinates=(Noise(),))

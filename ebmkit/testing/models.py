"""Small models that a metric is tried on: each is made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ebmkit.data.declarations import FashionMiniConfig
from ebmkit.errors import EbmkitError
from ebmkit.plugins.component import Selection
from ebmkit.plugins.host import host
from ebmkit.runs.fit import fit
from ebmkit.testing.law import seeded

SHARED: dict[str, Any] = {"steps": 2, "batch_size": 16, "device": "cpu", "progress": False}


class Bowl(nn.Module):
    """‖x‖²/8 and a small network that stays within bounds: a density whose mass lies where the data are."""

    def __init__(self) -> None:
        super().__init__()
        draw = seeded(71)
        self.first = nn.Parameter(torch.randn(8, 2, generator=draw))
        self.last = nn.Parameter(torch.randn(8, generator=draw) / 4)

    def forward(self, x: Tensor) -> Tensor:
        """Returns E [B], nats, of x [B, 2]."""
        return x.square().sum(dim=1) / 8 + torch.tanh(x @ self.first.T) @ self.last


def plane() -> Any:
    """Returns a model of rings in the plane, whose density is known."""
    return fit(Bowl(), "toy:rings", sampler="mala", **SHARED)


def images() -> Any:
    """Returns a model of labelled grey images with a test part."""
    return fit("mlp", FashionMiniConfig(limit=400), sampler="mala", coordinate="label", **SHARED)


def noised() -> Any:
    """Returns a model of rings at noise levels, None where no installed coordinate noises x."""
    for component, _ in host().all():
        if component.kind == "coordinate" and "point.noised" in _gives(component):
            return fit("mlp", "toy:rings", coordinate=component.name, **SHARED)
    return None


def _gives(component: Any) -> tuple[str, ...]:
    try:
        return tuple(component.ask("gives", component.config(), Selection()))
    except EbmkitError:  # another check says so
        return ()


MODELS: Mapping[str, Callable[[], Any]] = {"plane": plane, "images": images, "noised": noised}
"""Name → how it is made, in the order in which a metric is offered them."""


@cache
def model_of(name: str) -> Any:
    """Returns one of `MODELS`, the same at each call."""
    return MODELS[name]()

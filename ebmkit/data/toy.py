"""Densities in the plane as a data set that is drawn afresh in every batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from ebmkit.data import densities
from ebmkit.data.arrays import known_split
from ebmkit.data.declarations import ToyConfig
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, XValues

DEFAULT_SD = 0.2
DEFAULT_RINGS = 2


@dataclass(frozen=True, slots=True)
class _Law:
    draw: Callable[..., tuple[Tensor, Tensor]]
    log_density: Callable[..., Tensor]
    n_classes: int


LAWS = {
    "rings": _Law(densities.draw_rings, densities.log_density_rings, 0),
    "moons": _Law(densities.draw_moons, densities.log_density_moons, 2),
    "eight-gaussians": _Law(densities.draw_eight_gaussians, densities.log_density_eight_gaussians, 8),
    "checkerboard": _Law(densities.draw_checkerboard, densities.log_density_checkerboard, 8),
}


@dataclass(kw_only=True, slots=True, eq=False)
class ToyData:
    """A `Dataset` of endless fresh draws; rows are only counted, and the label is the ring, mode, cell or moon.

    Attributes:
        name: of the density.
        n: virtual length.
        draw: n, generator → x [n, 2] in data units, label [n].
        log_density_of: x [B, 2] → [B] nats.
        device: where batches lie.
        n_classes: number of components.
        event_shape: (2,).
        value_range: None, the plane.
        x_values: "real".
        class_names: none.
    """

    name: str
    n: int
    draw: Callable[[int, Generator], tuple[Tensor, Tensor]]
    log_density_of: Callable[[Tensor], Tensor]
    device: torch.device | str
    n_classes: int
    event_shape: tuple[int, ...] = (2,)
    value_range: tuple[float, float] | None = None
    x_values: XValues = "real"
    class_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.n

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        """Returns as many fresh draws as there are rows."""
        x, component = self.draw(len(rows), rng)
        return Batch(x=x.to(self.device), y=component.to(self.device))

    def split(self, name: str) -> ToyData:
        """Returns this set under either name: every draw is unseen."""
        known_split(name)
        return self

    def log_density(self, x: Tensor) -> Tensor:
        """Returns log p [B], nats, at x [B, 2]."""
        return self.log_density_of(x)


def build_toy(config: ToyConfig, context: BuildContext) -> ToyData:
    """Returns the set of a density; raises DataError for an unknown name."""
    if config.density not in LAWS:
        raise DataError(f"There is no toy density '{config.density}'. Known: {', '.join(LAWS)}.")
    law = LAWS[config.density]
    settings = _settings(config)
    return ToyData(
        name=config.density,
        n=config.n,
        draw=partial(law.draw, **settings),
        log_density_of=partial(law.log_density, **settings),
        device=context.device,
        n_classes=law.n_classes or settings["n_rings"],
    )


def _settings(config: ToyConfig) -> dict[str, Any]:
    settings: dict[str, Any] = {"radius": config.radius}
    if config.density != "checkerboard":
        settings["sd"] = config.sd or DEFAULT_SD
    if config.density == "rings":
        settings["n_rings"] = config.n_rings or DEFAULT_RINGS
    return settings

"""The class label of a datum as a coordinate of the chain."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ebmkit.coordinates.declarations import LabelConfig
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, Point


class Label:
    """p(x, y): the label is lifted from the data, and a fresh chain draws one of the classes uniformly."""

    name = "label"
    noises_x = False
    leaves_data = False

    def __init__(self, n_values: int) -> None:
        self.n_values = n_values

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        """Returns the point with the labels of the batch."""
        if batch.y is None:
            raise DataError("Coordinate 'label' needs labels, but this batch has none: choose a data set with labels.")
        return point.with_aux(label=batch.y)

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        """Returns the point with a uniform class in each of its n rows."""
        return point.with_aux(label=torch.randint(self.n_values, (n,), generator=rng, device=rng.device))

    def clean(self, point: Point) -> Point:
        """Returns the point as it is: every label belongs to data."""
        return point

    def is_data(self, point: Point) -> Tensor:
        """Returns True for every row."""
        return torch.ones(len(point), dtype=torch.bool, device=point.x.device)

    def signal(self, point: Point) -> Tensor:
        """Returns 1 for every row: a label takes nothing from x."""
        return torch.ones(len(point), device=point.x.device)

    def to_data(self, point: Point) -> Tensor:
        """Returns x as it is."""
        return point.x


def build_label(config: LabelConfig, context: BuildContext) -> Label:
    """Builds the coordinate; raises DataError where the data have no labels."""
    if context.n_classes < 2:
        raise DataError("Coordinate 'label' needs labels, but the data set has none: choose a set with labels.")
    return Label(context.n_classes)

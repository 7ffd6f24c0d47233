"""The energy of clean data as a function of x alone, whatever coordinates a model has beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import log

import torch
from torch import Tensor

from ebmkit.assembly.context import data_point
from ebmkit.errors import DataError
from ebmkit.ops.gradients import energy_and_gradient, leaf
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.energy import Energy
from ebmkit.sampling.model import Model
from ebmkit.views.view import view

NUMBERS_A_PASS = 200_000
"""Entries of x in one pass of an energy: 255 images of 28×28."""


class CleanEnergy:
    """E(x) [N] at clean data: a noise level is 0, and a label, which any value fits, is averaged out.

    E(x) = −T log mean_y exp(−E(x, y)/T): the marginal of the joint p(x, y) ∝ exp(−E(x, y)/T), in which a label is as
    likely as its Z. (`plane.log_density`, which can have each Z, gives the mean of the densities instead.)

    Attributes:
        model: whose energy it is.
        energy: with its weights held constant, in evaluation mode and fp32.
        free: every choice of the coordinates whose values all belong to data; one empty choice where there are none.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.energy: Energy = view(model.energy, "fp32").constant
        self.free = choices(model.coordinates)

    def points(self, x: Tensor) -> Iterator[Point]:
        """Yields x [N, *event], in the value range of the data, as points of each free choice."""
        point = data_point(self.model.coordinates, x)
        for choice in self.free:
            held = {name: torch.full((len(x),), value, device=x.device) for name, value in choice.items()}
            yield point.with_aux(**held)

    def __call__(self, x: Tensor) -> Tensor:
        """Returns the energies [N], nats, in float64, with their graph where one is kept."""
        values = [self.energy(point).double() for point in self.points(x)]
        if len(values) == 1:
            return values[0]
        temperature = self.model.temperature
        return -temperature * (torch.logsumexp(-torch.stack(values) / temperature, dim=0) - log(len(values)))

    def gradient(self, x: Tensor) -> Tensor:
        """Returns ∇ₓE [N, *event], nats per data unit."""
        return energy_and_gradient(lambda point: self(point.x), leaf(Point(x=x)), graph=False)[1]


def choices(coordinates: Sequence[Coordinate]) -> tuple[dict[str, int], ...]:
    """Returns every choice of the discrete coordinates that data do not determine: labels, and not noise levels."""
    found: list[dict[str, int]] = [{}]
    for coordinate in coordinates:
        if coordinate.n_values and not coordinate.noises_x and not coordinate.leaves_data:
            found = [{**choice, coordinate.name: value} for choice in found for value in range(coordinate.n_values)]
    return tuple(found)


@torch.no_grad()
def in_passes(function: Callable[[Tensor], Tensor], x: Tensor, device: torch.device) -> Tensor:
    """Returns what a function gives of every row of x [N, *event], asked a few hundred rows at a time, on the CPU."""
    rows = max(1, NUMBERS_A_PASS // max(1, x[0].numel())) if len(x) else 1
    return torch.cat([function(chunk.to(device)).detach().cpu() for chunk in torch.split(x, rows)])


def checked_rows(x: Tensor, event_shape: tuple[int, ...]) -> Tensor:
    """Returns x [N, *event] in float32 on the CPU; raises DataError where it is something else, or not finite."""
    if x.ndim != len(event_shape) + 1 or tuple(x.shape[1:]) != tuple(event_shape):
        wanted = ", ".join(["N", *map(str, event_shape)])
        raise DataError(f"The model takes x [{wanted}], rows first, found {list(x.shape)}.")
    if not len(x):
        raise DataError("There are no data: x has 0 rows.")
    if not x.is_floating_point():
        raise DataError(
            f"The model takes x in the value range of its data, found {x.dtype}: of 8-bit levels give (x + 0.5) / 256."
        )
    x = x.detach().to(device="cpu", dtype=torch.float32)
    finite = torch.isfinite(x).flatten(1).all(dim=1)
    if not bool(finite.all()):
        bad = int((~finite).sum())
        first = int(finite.int().argmin())
        raise DataError(f"{bad} of {len(x)} rows of x are NaN or infinite, the first of them row {first}. Remove them.")
    return x

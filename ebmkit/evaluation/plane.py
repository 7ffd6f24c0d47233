"""Densities in the plane, on a grid: exp(−E/T) normalised by a sum over its cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from ebmkit.assembly.context import data_point
from ebmkit.errors import DivergenceError, EbmkitError
from ebmkit.evaluation.clean_energy import choices
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Coordinate

MARGIN = 0.15
FLYING = 1.6
LONGEST = 3.0
"""Ratio of the sides of a window up to which it is made a square, and both axes have one scale."""
ROWS = 20_000
"""Points in one pass of an energy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A rectangle in equal cells, on whose centres functions are summed.

    Attributes:
        low: its lower left corner, data units.
        high: its upper right corner.
        n_cells: along each side.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    n_cells: int = 200

    @property
    def cell_area(self) -> float:
        """Of one cell, data units²."""
        width, height = (high - low for low, high in zip(self.low, self.high, strict=True))
        return width * height / self.n_cells**2

    @classmethod
    def square(cls, half_width: float, n_cells: int = 480) -> Window:
        """Returns the square [−a, a]², a in data units."""
        return cls(low=(-half_width, -half_width), high=(half_width, half_width), n_cells=n_cells)

    def wider(self, times: float, n_cells: int) -> Window:
        """Returns the window of the same centre that is so many times as wide and high."""
        pairs = list(zip(self.low, self.high, strict=True))
        (a, b), (c, d) = (((low + high) / 2, times * (high - low) / 2) for low, high in pairs)
        return Window(low=(a - b, c - d), high=(a + b, c + d), n_cells=n_cells)

    def points(self) -> Tensor:
        """Returns the centres [N², 2], float32, row by row from below: the first entry of x changes fastest."""
        share = (torch.arange(self.n_cells, dtype=torch.float64) + 0.5) / self.n_cells
        first, second = (low + (high - low) * share for low, high in zip(self.low, self.high, strict=True))
        return torch.cartesian_prod(second, first).flip(1).float()

    def __str__(self) -> str:
        (left, low), (right, high) = self.low, self.high
        return f"[{left:.4g}, {right:.4g}] × [{low:.4g}, {high:.4g}]"

    def holds(self, x: Tensor) -> Tensor:
        """Returns [B] bool: the points x [B, 2] that lie in it."""
        low, high = torch.tensor(self.low).to(x), torch.tensor(self.high).to(x)
        return ((x >= low) & (x <= high)).all(dim=1)


def window_around(data: Tensor, chains: Tensor | None = None, n_cells: int = 200) -> Window:
    """Returns the window of all data [N, 2] and of the chains [B, 2] near them, with a margin.

    Chains further than 1.6 half-widths of the data from their centre do not count: they would make the data a dot. The
    window is a square, unless the data are more than three times as wide as high, or the reverse.
    """
    low, high = data.amin(dim=0), data.amax(dim=0)
    centre, half = (low + high) / 2, ((high - low) / 2).clamp(min=1e-6)
    if chains is not None:
        near = chains[((chains - centre).abs() <= FLYING * half).all(dim=1)]
        low, high = torch.cat([low[None], near]).amin(dim=0), torch.cat([high[None], near]).amax(dim=0)
    centre, half = (low + high) / 2, ((high - low) / 2).clamp(min=1e-6) * (1 + MARGIN)
    if half.max() <= LONGEST * half.min():
        half = half.max().expand(2)
    (a, b), (c, d) = (centre - half).tolist(), (centre + half).tolist()
    return Window(low=(a, b), high=(c, d), n_cells=n_cells)


def log_density(
    energy: Callable[[Point], Tensor],
    window: Window,
    *,
    temperature: float = 1.0,
    coordinates: Sequence[Coordinate] = (),
    device: torch.device | str = "cpu",
) -> Tensor:
    """Returns log p [N, N], nats per unit area, of p ∝ exp(−E/T) at the cells of a window, row by row from below.

    Coordinates have the value of data, a noise level 0. For one whose values belong to data alike, as labels do, it is
    the mean of the densities that x has under each of them.

    Args:
        energy: Point → [B] nats.
        window: where; mass outside of it is taken for none.
        temperature: T, nats.
        coordinates: of the model.
        device: where the energy is asked.

    Raises:
        DivergenceError: an energy is not finite.
    """
    found = log_values(energy, window, temperature=temperature, coordinates=coordinates, device=device)
    totals = torch.logsumexp(found.flatten(1), dim=1) + log(window.cell_area)
    return torch.logsumexp(found - totals[:, None, None], dim=0) - log(len(found))


def log_values(
    energy: Callable[[Point], Tensor],
    window: Window,
    *,
    temperature: float = 1.0,
    coordinates: Sequence[Coordinate] = (),
    device: torch.device | str = "cpu",
) -> Tensor:
    """Returns −E/T [V, N, N] in float64 at the cells of a window, for each of the V values that `log_density` joins."""
    found = values_at(energy, window.points(), temperature=temperature, coordinates=coordinates, device=device)
    return found.view(len(found), window.n_cells, window.n_cells)


@torch.no_grad()
def values_at(
    energy: Callable[[Point], Tensor],
    x: Tensor,
    *,
    temperature: float = 1.0,
    coordinates: Sequence[Coordinate] = (),
    device: torch.device | str = "cpu",
) -> Tensor:
    """Returns −E/T [V, B] in float64 at data x [B, 2], for each of the V values that `log_density` joins."""
    found = []
    for aux in choices(coordinates):
        rows = (_clean(part.to(device), aux, coordinates) for part in torch.split(x, ROWS))
        found.append(-torch.cat([energy(point).double().cpu() for point in rows]) / temperature)
    values = torch.stack(found)
    if not bool(torch.isfinite(values).all()):
        raise DivergenceError("An energy in the plane is not finite: there is no density to be had from it.")
    return values


def density_if_any(
    energy: Callable[[Point], Tensor],
    window: Window,
    temperature: float,
    coordinates: Sequence[Coordinate],
    device: torch.device | str,
) -> Tensor | None:
    """Returns `log_density` for a picture, None where the energy has none: not finite, or not of x at clean data."""
    try:
        return log_density(energy, window, temperature=temperature, coordinates=coordinates, device=device)
    except (EbmkitError, KeyError):  # an entry of the point that no value belongs to at data
        return None


def _clean(x: Tensor, values: dict[str, int], coordinates: Sequence[Coordinate]) -> Point:
    """Returns data x as the energy takes them, with a value of each coordinate that belongs to data whatever it is."""
    aux = {name: torch.full((len(x),), value, device=x.device) for name, value in values.items()}
    return data_point(coordinates, x).with_aux(**aux)

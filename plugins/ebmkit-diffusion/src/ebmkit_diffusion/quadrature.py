"""Densities and divergences of energies in the plane by quadrature: no samples, and an estimate of the error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from ebmkit import DataError, DivergenceError, Point, RecipeError

THIRD = 3
"""The coarse grid, which tells the error, takes every third cell: its centre is that of three cells together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plane:
    """The square [−a, a]² in equal cells, on whose centres functions are summed.

    The sum over centres converges faster than any power of the cell for smooth densities that vanish at the border: a
    Gaussian's normaliser is right to 1e-7 as soon as the cell is no wider than its standard deviation.

    Attributes:
        half_width: a, data units.
        n_cells: along a side; a multiple of 6.
        rows: points in one pass of an energy.
        tolerance: largest error, nats, and largest share of the mass outside the square that pass for a result.

    Raises:
        RecipeError: a setting is out of range.
    """

    half_width: float = 6.0
    n_cells: int = 480
    rows: int = 20_000
    tolerance: float = 1e-2

    def __post_init__(self) -> None:
        if self.half_width <= 0 or self.rows < 1 or self.tolerance <= 0:
            raise RecipeError(f"{self}: half_width, rows and tolerance must be positive.")
        if self.n_cells < 6 or self.n_cells % 6:
            raise RecipeError(f"{self.n_cells} cells along a side were asked: take a multiple of 6, so that halves and "
                              "thirds of the grid are grids.")  # fmt: skip

    @property
    def cell(self) -> float:
        """Side of a cell, data units."""
        return 2 * self.half_width / self.n_cells

    def points(self) -> Tensor:
        """Returns the centres [N², 2], float32, row by row from below: the first entry of x changes fastest."""
        axis = (torch.arange(self.n_cells, dtype=torch.float64) + 0.5) * self.cell - self.half_width
        return torch.cartesian_prod(axis, axis).flip(1).float()

    def wider(self) -> Plane:
        """Returns the square twice as wide, in cells three times as wide: to look for mass outside."""
        n = 2 * self.n_cells // THIRD
        return Plane(half_width=2 * self.half_width, n_cells=n + -n % 6, rows=self.rows, tolerance=self.tolerance)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlaneDensity:
    """A model's density on the cells of a plane.

    Attributes:
        log_density: [N, N] nats per unit area at the centres of cells, row by row from below.
        log_normaliser: log Z, Z = ∫ exp(−E/T), nats.
        error: of the log normaliser, nats: by how much it changes when cells are three times as wide. An upper bound
            where the grid resolves the density.
        outside: share of the mass of the square twice as wide that lies outside this one.
    """

    log_density: Tensor
    log_normaliser: float
    error: float
    outside: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Divergence:
    """KL(data ‖ model) and KL(model ‖ data), with what they are worth.

    Attributes:
        value: KL(data ‖ model), nats: grows where the model misses data.
        reverse: KL(model ‖ data), nats: grows where the model has mass without data; infinite where data have none.
        error: of `value`, nats: of the model's normaliser, of its mass outside the square and of the expectation
            together; see `PlaneDensity.error`.
        outside: share of the model's mass outside the square.
        entropy: of the data, nats.
    """

    value: float
    reverse: float
    error: float
    outside: float
    entropy: float


def density(energy: Callable[[Point], Tensor], plane: Plane, *, temperature: float = 1.0) -> PlaneDensity:
    """Returns the density exp(−E/T)/Z of an energy in the plane.

    Args:
        energy: Point → [B] nats, for x [B, 2].
        plane: where; the mass must lie in it, and its cells must resolve the density.
        temperature: T, nats.

    Raises:
        DivergenceError: an energy is not finite.
        DataError: mass lies outside the square, or its cells are too wide.
    """
    values = _reduced(energy, plane, temperature)
    log_normaliser, error = _log_sum(-values, plane)
    outside = _outside(_reduced(energy, plane.wider(), temperature), plane.wider())
    if outside > plane.tolerance:
        raise DataError(
            f"A density was asked on [−{plane.half_width:g}, {plane.half_width:g}]², but {outside:.2g} of the model's "
            "mass nearby lies outside. Take a larger half_width; a model whose mass runs away has no density there."
        )
    _check_resolved(error, plane, "the model's log normaliser")
    return PlaneDensity(
        log_density=-values - log_normaliser, log_normaliser=log_normaliser, error=error, outside=outside
    )


def divergence(
    energy: Callable[[Point], Tensor],
    log_density: Callable[[Tensor], Tensor],
    plane: Plane,
    *,
    temperature: float = 1.0,
) -> Divergence:
    """Returns KL(data ‖ model) = E_data[log p + E/T] + log Z and KL(model ‖ data), all by quadrature.

    Args:
        energy: Point → [B] nats, for x [B, 2].
        log_density: of the data, x [B, 2] → [B] nats; −inf where there are none.
        plane: where.
        temperature: T, nats.

    Raises:
        DivergenceError: an energy is not finite.
        DataError: mass of the model or of the data lies outside the square, or its cells are too wide.
    """
    model = density(energy, plane, temperature=temperature)
    rows = torch.split(plane.points().double(), plane.rows)
    log_p = torch.cat([log_density(x) for x in rows]).view_as(model.log_density)
    total, error = _log_sum(log_p, plane)
    _check_resolved(max(abs(total), error), plane, "the log of the data's total mass")
    weights = (log_p - total).exp() * plane.cell**2
    differences = torch.where(weights > 0, weights * (log_p - model.log_density), 0)
    value, coarse = float(differences.sum()), float(_thirds(differences).sum()) * THIRD**2
    _check_resolved(abs(value - coarse), plane, "the divergence")
    entropy = -float(torch.where(weights > 0, weights * log_p, 0).sum())
    error = abs(value - coarse) + model.error + model.outside  # a share ε more of Z is ε nats
    shares = model.log_density.exp() * plane.cell**2
    reverse = float(torch.where(shares > 0, shares * (model.log_density - log_p), 0).sum())
    return Divergence(value=value, reverse=reverse, error=error, outside=model.outside, entropy=entropy)


@torch.no_grad()
def _reduced(energy: Callable[[Point], Tensor], plane: Plane, temperature: float) -> Tensor:
    """Returns E/T [N, N] in float64, row by row from below."""
    values = torch.cat([energy(Point(x=x)).double() for x in torch.split(plane.points(), plane.rows)]) / temperature
    if not bool(torch.isfinite(values).all()):
        raise DivergenceError("An energy in the plane is not finite: there is no density to be had from it.")
    return values.view(plane.n_cells, plane.n_cells)


def _log_sum(log_values: Tensor, plane: Plane) -> tuple[float, float]:
    """Returns the log of the integral of exp(log_values), and by how much thrice as wide cells change it."""
    fine = torch.logsumexp(log_values.flatten(), dim=0) + 2 * log(plane.cell)
    coarse = torch.logsumexp(_thirds(log_values).flatten(), dim=0) + 2 * log(THIRD * plane.cell)
    return float(fine), float((fine - coarse).abs())


def _thirds(values: Tensor) -> Tensor:
    return values[1::THIRD, 1::THIRD]


def _outside(values: Tensor, wide: Plane) -> float:
    """Returns the share of exp(−values) that lies outside the middle half of a plane."""
    share = (-values).flatten().softmax(dim=0)
    inside = (wide.points().abs() < wide.half_width / 2).all(dim=1)
    return float(share[~inside].sum())


def _check_resolved(error: float, plane: Plane, what: str) -> None:
    if not error <= plane.tolerance:
        raise DataError(
            f"{plane.n_cells} cells along a side of [−{plane.half_width:g}, {plane.half_width:g}]² leave an error of "
            f"{error:.2g} nats in {what}, above the tolerance of {plane.tolerance:g}: take more cells, or a square "
            "that holds everything."
        )

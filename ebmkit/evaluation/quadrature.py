"""Densities and divergences of energies in the plane by quadrature: no samples, and an estimate of the error.

The sum over the centres of cells converges faster than any power of the cell for smooth densities that vanish at the
border: a Gaussian's normaliser is right to 1e-7 as soon as the cell is no wider than its standard deviation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log

import torch
from torch import Tensor

from ebmkit.errors import DataError, RecipeError
from ebmkit.evaluation.plane import ROWS, Window, log_values
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Coordinate

THIRD = 3
"""The coarse grid, which tells the error, takes every third cell: its centre is that of three cells together."""

TOLERANCE = 1e-2
"""Largest error, nats, and largest share of the mass outside the window, that pass for a result."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlaneDensity:
    """A model's density on the cells of a window.

    Attributes:
        log_density: [N, N] nats per unit area at the centres of cells, row by row from below.
        log_normalisers: log Z, Z = ∫ exp(−E/T), nats, one for each value of a label; one where there is none.
        error: of a log normaliser, nats: by how much it changes when cells are three times as wide. An upper bound
            where the grid resolves the density.
        outside: share of the mass of the window twice as wide that lies outside this one.
    """

    log_density: Tensor
    log_normalisers: tuple[float, ...]
    error: float
    outside: float

    @property
    def log_normaliser(self) -> float:
        """log Z, nats; under labels, of the sum of their Z."""
        return float(torch.logsumexp(torch.tensor(self.log_normalisers, dtype=torch.float64), dim=0))

    def at(self, values: Tensor) -> Tensor:
        """Returns log p [B] where −E/T is `values` [V, B]: under labels, the mean of the densities of each."""
        totals = torch.tensor(self.log_normalisers, dtype=torch.float64)[:, None]
        return torch.logsumexp(values - totals, dim=0) - log(len(values))


@dataclass(frozen=True, kw_only=True, slots=True)
class Divergence:
    """KL(data ‖ model), KL(model ‖ data) and their total variation, with what they are worth.

    Attributes:
        value: KL(data ‖ model), nats: grows where the model misses data.
        reverse: KL(model ‖ data), nats: grows where the model has mass without data; infinite where data have none.
        total_variation: ½ ∫ |data − model|, in [0, 1].
        error: of `value`, nats: of the model's normaliser, of its mass outside the window and of the expectation
            together; see `PlaneDensity.error`.
        reverse_error: of `reverse`, nats, likewise.
        total_variation_error: of `total_variation`.
        outside: share of the model's mass outside the window.
        entropy: of the data, nats.
        entropy_error: of it, nats.
    """

    value: float
    reverse: float
    total_variation: float
    error: float
    reverse_error: float
    total_variation_error: float
    outside: float
    entropy: float
    entropy_error: float


def density(
    energy: Callable[[Point], Tensor],
    window: Window,
    *,
    temperature: float = 1.0,
    coordinates: Sequence[Coordinate] = (),
    device: torch.device | str = "cpu",
    tolerance: float = TOLERANCE,
) -> PlaneDensity:
    """Returns the density exp(−E/T)/Z of an energy in the plane, at the values that coordinates have at data.

    Args:
        energy: Point → [B] nats, for x [B, 2].
        window: where; the mass must lie in it, and its cells must resolve the density.
        temperature: T, nats.
        coordinates: of the model; see `plane.log_density`.
        device: where the energy is asked.
        tolerance: largest error, nats, and share of the mass outside, that pass for a result.

    Raises:
        RecipeError: the cells along a side are no multiple of 6.
        DivergenceError: an energy is not finite.
        DataError: mass lies outside the window, or its cells are too wide.
    """
    _check_cells(window)
    n = 2 * window.n_cells // THIRD
    wide = window.wider(2, n + -n % 6)
    at = {"temperature": temperature, "coordinates": coordinates, "device": device}
    values, around = (log_values(energy, where, **at) for where in (window, wide))  # type: ignore[arg-type]
    sums = [_log_sum(value, window) for value in values]
    totals, error = tuple(total for total, _ in sums), max(error for _, error in sums)
    outside = max(_outside(value, wide, window) for value in around)
    if outside > tolerance:
        raise DataError(
            f"A density was asked on {window}, but {100 * outside:.2g} % of the model's mass nearby lies outside. "
            "Take a wider window; a model whose mass runs away has no density there."
        )
    _check_resolved(error, window, "the model's log normaliser", tolerance)
    found = PlaneDensity(log_density=values[0], log_normalisers=totals, error=error, outside=outside)
    return replace(found, log_density=found.at(values.flatten(1)).view_as(values[0]))


def divergence(
    model: PlaneDensity, log_density: Callable[[Tensor], Tensor], window: Window, *, tolerance: float = TOLERANCE
) -> Divergence:
    """Returns KL(data ‖ model) = E_data[log p + E/T] + log Z, KL(model ‖ data) and their total variation.

    Args:
        model: as `density` found it on the window.
        log_density: of the data, x [B, 2] → [B] nats; −inf where there are none.
        window: where.
        tolerance: as for `density`.

    Raises:
        DataError: mass of the data lies outside the window, or its cells are too wide.
    """
    log_p = density_of_data(log_density, window)
    total, error = _log_sum(log_p, window)
    _check_resolved(max(abs(total), error), window, "the log of the data's total mass", tolerance)
    cell, log_q = window.cell_area, model.log_density
    p, q = (log_p - total).exp(), log_q.exp()
    forward, forward_error = _integral(torch.where(p > 0, p * (log_p - log_q), 0), cell)
    _check_resolved(forward_error, window, "the divergence", tolerance)
    reverse, reverse_error = _integral(torch.where(q > 0, q * (log_q - log_p), 0), cell)
    variation, variation_error = _integral((p - q).abs() / 2, cell)
    entropy, entropy_error = _integral(torch.where(p > 0, -p * log_p, 0), cell)
    of_model = model.error + model.outside  # a share ε more of Z is ε nats
    return Divergence(
        value=forward,
        reverse=reverse,
        total_variation=variation,
        error=forward_error + of_model,
        reverse_error=reverse_error + of_model * max(1.0, abs(reverse)) if reverse < float("inf") else 0.0,
        total_variation_error=variation_error + of_model,
        outside=model.outside,
        entropy=entropy,
        entropy_error=entropy_error,
    )


def density_of_data(log_density: Callable[[Tensor], Tensor], window: Window) -> Tensor:
    """Returns log p [N, N], nats per unit area, of the data at the cells of a window."""
    rows = torch.split(window.points().double(), ROWS)
    return torch.cat([log_density(x) for x in rows]).view(window.n_cells, window.n_cells)


def _integral(values: Tensor, cell: float) -> tuple[float, float]:
    """Returns the integral of a function [N, N] on the cells, and by how much thrice as wide cells change it."""
    fine, coarse = float(values.sum()) * cell, float(_thirds(values).sum()) * cell * THIRD**2
    return fine, abs(fine - coarse)


def _log_sum(log_values: Tensor, window: Window) -> tuple[float, float]:
    """Returns the log of the integral of exp(log_values), and by how much thrice as wide cells change it."""
    fine = torch.logsumexp(log_values.flatten(), dim=0) + log(window.cell_area)
    coarse = torch.logsumexp(_thirds(log_values).flatten(), dim=0) + log(THIRD**2 * window.cell_area)
    return float(fine), float((fine - coarse).abs())


def _thirds(values: Tensor) -> Tensor:
    return values[1::THIRD, 1::THIRD]


def _outside(log_values: Tensor, wide: Window, window: Window) -> float:
    """Returns the share of exp(log_values) on the cells of a wide window that lies outside another."""
    share = log_values.flatten().softmax(dim=0)
    return float(share[~window.holds(wide.points())].sum())


def _check_cells(window: Window) -> None:
    if window.n_cells < 6 or window.n_cells % 6:
        raise RecipeError(
            f"{window.n_cells} cells along a side were asked: take a multiple of 6, so that halves and thirds of the "
            "grid are grids."
        )


def _check_resolved(error: float, window: Window, what: str, tolerance: float) -> None:
    if not error <= tolerance:
        raise DataError(
            f"{window.n_cells} cells along a side of {window} leave an error of {error:.2g} nats in {what}, "
            f"above the tolerance of {tolerance:g}: take more cells, or a window that holds everything."
        )

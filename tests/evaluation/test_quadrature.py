"""Laws of densities and divergences in the plane: closed forms, and the refusals that keep a wrong number out."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ebmkit
from ebmkit import Point
from ebmkit.coordinates.label import Label
from ebmkit.errors import DataError, DivergenceError, RecipeError
from ebmkit.evaluation.plane import Window
from ebmkit.evaluation.quadrature import Divergence, density, divergence

PLANE = Window.square(6.0, n_cells=240)


def between(
    energy: Callable[[Point], Tensor], log_density: Callable[[Tensor], Tensor], window: Window, temperature: float = 1.0
) -> Divergence:
    return divergence(density(energy, window, temperature=temperature), log_density, window)


def gaussian_energy(point: Point, *, mean: float = 0.0, sd: float = 1.0, offset: float = 0.0) -> Tensor:
    return (point.x - mean).square().sum(dim=1) / (2 * sd**2) + offset


def gaussian_log_density(x: Tensor, *, mean: float = 0.0, sd: float = 1.0) -> Tensor:
    return -(x - mean).square().sum(dim=1) / (2 * sd**2) - math.log(2 * math.pi * sd**2)


def kl_of_gaussians(mean: float, sd: float, mean_model: float, sd_model: float) -> float:
    """KL(N(mean, sd²) ‖ N(mean_model, sd_model²)) of two independent entries that are alike."""
    ratio = (sd / sd_model) ** 2
    return ratio + ((mean - mean_model) / sd_model) ** 2 - 1 - math.log(ratio)


@settings(max_examples=15)
@given(sd=st.floats(0.2, 1.0), mean=st.floats(-0.5, 0.5), offset=st.floats(-500, 500), temperature=st.floats(0.5, 2.0))
def test_a_gaussian_has_its_normaliser(sd: float, mean: float, offset: float, temperature: float) -> None:
    energy = partial(gaussian_energy, mean=mean, sd=sd, offset=offset)
    found = density(energy, PLANE, temperature=temperature)
    exact = math.log(2 * math.pi * sd**2 * temperature) - offset / temperature
    assert abs(found.log_normaliser - exact) < 2e-4  # fp32 energies of 500 nats
    assert found.error < 2e-4
    assert found.outside < 1e-4


@settings(max_examples=15)
@given(sd=st.floats(0.3, 1.0), mean=st.floats(-0.5, 0.5), sd_model=st.floats(0.5, 1.0))
def test_divergence_of_gaussians(sd: float, mean: float, sd_model: float) -> None:
    log_density = partial(gaussian_log_density, mean=mean, sd=sd)
    found = between(partial(gaussian_energy, sd=sd_model, offset=3.0), log_density, PLANE)
    assert abs(found.value - kl_of_gaussians(mean, sd, 0.0, sd_model)) < 1e-4
    assert abs(found.reverse - kl_of_gaussians(0.0, sd_model, mean, sd)) < 1e-3
    assert abs(found.entropy - (1 + math.log(2 * math.pi * sd**2))) < 1e-4


def test_temperature_divides_the_energy() -> None:
    warm = between(gaussian_energy, gaussian_log_density, PLANE, temperature=2.0)
    assert abs(warm.value - kl_of_gaussians(0.0, 1.0, 0.0, math.sqrt(2))) < 1e-4


def test_the_rings_themselves_have_no_divergence() -> None:
    rings = ebmkit.build("dataset", "toy", density="rings", radius=4.0, n_rings=4, sd=0.1)

    def energy(point: Point) -> Tensor:
        return 7.0 - rings.log_density(point.x.double())

    found = between(energy, rings.log_density, Window.square(6.0))
    assert abs(found.value) < 1e-6
    assert found.error < 1e-4
    # a uniform angle on one of four circles, thickened by a Gaussian of s.d. 0.1, up to the curvature
    radii = math.log(2 * math.pi) + sum(math.log(k) for k in (1, 2, 3, 4)) / 4
    assert abs(found.entropy - (math.log(4) + radii + 0.5 * math.log(2 * math.pi * math.e * 0.01))) < 0.01


def test_densities_sum_to_one_and_lie_row_by_row_from_below() -> None:
    found = density(partial(gaussian_energy, sd=0.5), PLANE)
    assert abs(float(found.log_density.exp().sum()) * PLANE.cell_area - 1) < 1e-6

    def high_up(point: Point) -> Tensor:
        return gaussian_energy(Point(x=point.x - torch.tensor([-2.0, 3.0])), sd=0.5)

    row, column = divmod(int(density(high_up, PLANE).log_density.argmax()), PLANE.n_cells)
    assert (row, column) in {(180 - a, 80 - b) for a in (0, 1) for b in (0, 1)}


def test_points_are_the_centres_of_cells() -> None:
    plane = Window.square(3.0, n_cells=6)
    assert plane.points()[:2].tolist() == [[-2.5, -2.5], [-1.5, -2.5]]
    assert torch.equal(plane.points(), plane.points().flip(0).neg())


def flat(point: Point) -> Tensor:
    return torch.zeros(len(point))


def far_valley(point: Point) -> Tensor:
    """A narrow second mode beyond the square, 60 nats deeper than the one within."""
    return torch.minimum(gaussian_energy(point), gaussian_energy(point, mean=9.0, sd=0.3, offset=-60.0))


@pytest.mark.parametrize("energy", [flat, far_valley, partial(gaussian_energy, sd=4.0)])
def test_a_model_whose_mass_leaves_the_square_is_refused(energy: Callable[[Point], Tensor]) -> None:
    with pytest.raises(DataError, match="mass nearby lies outside"):
        density(energy, PLANE)


def test_data_that_leave_the_square_are_refused() -> None:
    with pytest.raises(DataError, match="total mass"):
        between(gaussian_energy, partial(gaussian_log_density, sd=3.0), PLANE)


def test_too_wide_cells_are_refused() -> None:
    coarse = Window.square(6.0, n_cells=60)
    density(partial(gaussian_energy, sd=0.5), coarse)
    with pytest.raises(DataError, match="take more cells"):
        density(partial(gaussian_energy, sd=0.1), coarse)
    with pytest.raises(DataError, match="take more cells"):
        between(gaussian_energy, partial(gaussian_log_density, sd=0.05), coarse)


def test_an_energy_that_is_not_finite_is_refused() -> None:
    with pytest.raises(DivergenceError, match="not finite"):
        density(lambda point: gaussian_energy(point) / (point.x[:, 0] > -1), PLANE)


@pytest.mark.parametrize("n_cells", [100, 0])
def test_a_grid_without_halves_and_thirds_is_refused(n_cells: int) -> None:
    with pytest.raises(RecipeError, match="multiple of 6"):
        density(gaussian_energy, Window.square(6.0, n_cells=n_cells))


def test_total_variation_of_gaussians_apart() -> None:
    """TV of N(−m, I) and N(m, I) along one axis is erf(m/√2)."""
    shift = torch.tensor([0.5, 0.0])
    moved = between(
        lambda point: gaussian_energy(Point(x=point.x - shift)), lambda x: gaussian_log_density(x + shift), PLANE
    )
    assert abs(moved.total_variation - math.erf(0.5 / math.sqrt(2))) < max(1e-3, moved.total_variation_error)
    assert between(gaussian_energy, gaussian_log_density, PLANE).total_variation < 1e-5


def test_where_the_data_have_no_mass_the_reverse_is_infinite_and_the_rest_is_not() -> None:
    def half(x: Tensor) -> Tensor:
        return torch.where(x[:, 0] > 0, gaussian_log_density(x) + math.log(2), -math.inf)

    found = between(gaussian_energy, half, PLANE)
    assert found.reverse == math.inf
    assert abs(found.value - math.log(2)) < 1e-3 and abs(found.total_variation - 0.5) < 1e-3


def test_under_labels_each_density_is_normalised_by_itself() -> None:
    def energy(point: Point) -> Tensor:
        label = point.aux["label"]
        return gaussian_energy(Point(x=point.x - 2.0 * label[:, None])) + 5.0 * label

    found = density(energy, PLANE, coordinates=(Label(2),))
    assert abs(float(found.log_density.exp().sum()) * PLANE.cell_area - 1) < 1e-3
    assert abs(found.log_normaliser - math.log(2 * math.pi * (1 + math.exp(-5.0)))) < 1e-3

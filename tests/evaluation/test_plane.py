"""Laws of densities on a grid of the plane."""

import math

import pytest
import torch

from ebmkit.coordinates.label import Label
from ebmkit.coordinates.momentum import Momentum
from ebmkit.errors import DivergenceError
from ebmkit.evaluation.plane import Window, density_if_any, log_density, window_around

WIDE = Window(low=(-8.0, -6.0), high=(8.0, 10.0), n_cells=160)


def gaussian(point, sd=1.0, mean=0.0):
    return (point.x - mean).square().sum(dim=1) / (2 * sd**2) + 7.0


def test_points_are_the_centres_of_cells_row_by_row_from_below():
    window = Window(low=(0.0, 10.0), high=(2.0, 14.0), n_cells=2)
    assert window.points().tolist() == [[0.5, 11.0], [1.5, 11.0], [0.5, 13.0], [1.5, 13.0]]
    assert window.cell_area == 2.0


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_a_gaussian_has_its_normaliser_and_its_temperature(temperature):
    found = log_density(gaussian, WIDE, temperature=temperature)
    squares = WIDE.points().double().square().sum(dim=1).view(160, 160)
    wanted = -squares / (2 * temperature) - math.log(2 * math.pi * temperature)
    assert (found - wanted).abs().max() < 1e-4


def test_under_labels_it_is_the_mean_of_their_densities_whatever_their_offsets():
    def energy(point):
        return gaussian(point, mean=2.0 * point.aux["label"][:, None]) + 5.0 * point.aux["label"]

    found = log_density(energy, WIDE, coordinates=(Label(2), Momentum()))
    both = [log_density(lambda point, m=m: gaussian(point, mean=m), WIDE) for m in (0.0, 2.0)]
    assert torch.allclose(found, torch.logsumexp(torch.stack(both), dim=0) - math.log(2))


def test_an_energy_that_is_not_finite_has_no_density():
    with pytest.raises(DivergenceError, match="not finite"):
        log_density(lambda point: point.x.sum(dim=1) * math.nan, WIDE)
    assert density_if_any(lambda point: point.x.sum(dim=1) * math.nan, WIDE, 1.0, (), "cpu") is None
    assert density_if_any(lambda point: point.aux["time"], WIDE, 1.0, (), "cpu") is None


def test_the_window_holds_all_data_and_the_chains_near_them():
    data = torch.tensor([[0.0, 0.0], [4.0, 2.0]])
    window = window_around(data, torch.tensor([[4.5, 1.0], [900.0, 0.0]]))
    held = window.holds(torch.tensor([[0.0, 0.0], [4.0, 2.0], [4.5, 1.0], [900.0, 0.0]]))
    assert held.tolist() == [True, True, True, False]
    (left, low), (right, high) = window.low, window.high
    assert right - left == pytest.approx(high - low), "axes of about one scale are drawn on a square"


def test_axes_of_other_scales_keep_them():
    (left, low), (right, high) = (w := window_around(torch.tensor([[0.0, 0.0], [100.0, 1.0]]))).low, w.high
    assert right - left > 50 * (high - low) and (right - left) > 100

"""The loss and its gradient beside closed forms, quadrature and enumeration; each has doubles that it rejects."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import comb, log, sqrt

import numpy as np
import pytest
import torch
from ebmkit_energy_discrepancy.objective import energy_discrepancy
from ebmkit_energy_discrepancy.perturb import flipped, gaussian
from torch import Tensor

import ebmkit
from ebmkit import Batch, BuildContext, Phases, Point
from ebmkit.rng import stream

Loss = Callable[[Tensor, Tensor, float], Tensor]
MEAN, SD, SIGMA = 0.3, 0.8, 0.7  # of the data, and of the noise


class Bowl(torch.nn.Module):
    """E(x) = λ(x − m)²/2, nats, in one dimension."""

    def __init__(self, mean: float, precision: float) -> None:
        super().__init__()
        self.mean = torch.nn.Parameter(torch.tensor(mean).double())
        self.precision = torch.nn.Parameter(torch.tensor(precision).double())

    def forward(self, point: Point) -> Tensor:
        return self.precision * (point.x[:, 0] - self.mean).square() / 2


def limit(energy: Bowl) -> Tensor:
    """The loss of Gaussian data N(MEAN, SD²) as M grows: E[E(x)] + E_y log ∫ N(x'; y, σ²) exp(−E(x')) dx'."""
    apart, wider = (energy.mean - MEAN).square(), 1 + energy.precision * SIGMA**2
    low = energy.precision * (SD**2 + apart) / 2
    return low - wider.log() / 2 - energy.precision * (SD**2 + SIGMA**2 + apart) / (2 * wider)


def phases(energy: torch.nn.Module, x: Tensor) -> Phases:
    return Phases(energy=energy, batch=Batch(x=x), positive=Point(x=x), rng=lambda part: stream(0, 1, part))


def normal(n: int) -> Tensor:
    """Returns the quantiles [n, 1] of the data: a sample without the chance of one."""
    at = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    return MEAN + SD * torch.special.ndtri(at)[:, None]


# --- many perturbed points


def gradient(loss: Tensor, energy: torch.nn.Module) -> Tensor:
    found = torch.autograd.grad(loss, list(energy.parameters()), allow_unused=True)
    return torch.stack(
        [torch.zeros_like(p) if g is None else g for p, g in zip(energy.parameters(), found, strict=True)]
    )


@pytest.mark.parametrize(("mean", "precision"), [(MEAN, SD**-2), (1.0, 0.6), (0.0, 3.0)])
def test_with_many_points_it_is_the_closed_form_of_a_gaussian(mean: float, precision: float) -> None:
    energy = Bowl(mean, precision)
    objective = ebmkit.build("objective", "energy-discrepancy", sigma=SIGMA, n_perturbed=400, stabiliser=0.0)
    loss = objective.losses(energy, phases(energy, normal(4000)))["discrepancy"]
    assert float((loss - limit(energy)).detach()) == pytest.approx(0, abs=0.03)
    assert (gradient(loss, energy) - gradient(limit(energy), energy)).abs().max() < 0.03


def test_the_closed_form_is_least_at_the_law_of_the_data_whatever_the_noise() -> None:
    energy = Bowl(MEAN, SD**-2)
    assert gradient(limit(energy), energy).abs().max() < 1e-6


# --- one perturbed point, by quadrature


def quadrature(energy: Bowl, stabiliser: float) -> Tensor:
    """E log(w + exp(E(x) − E(x'))), x ~ data, x' | x ~ N(x, 2σ²): the loss with M = 1, by Gauss and Hermite."""
    node, weight = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(80))
    weight = weight / weight.sum()
    x = MEAN + SD * node[:, None].expand(80, 80)
    far = x + sqrt(2) * SIGMA * node[None, :]
    low, high = (energy(Point(x=part.reshape(-1, 1))).view(80, 80) for part in (x, far))
    each = torch.log(stabiliser + torch.exp(low - high))
    return (weight[:, None] * weight[None, :] * each).sum()


def without_w(data: Tensor, perturbed: Tensor, stabiliser: float) -> Tensor:
    return energy_discrepancy(data, perturbed, 0.0)


def turned(data: Tensor, perturbed: Tensor, stabiliser: float) -> Tensor:
    return energy_discrepancy(-data, -perturbed, stabiliser)


def detached(data: Tensor, perturbed: Tensor, stabiliser: float) -> Tensor:
    return energy_discrepancy(data, perturbed.detach(), stabiliser)


def detached_data(data: Tensor, perturbed: Tensor, stabiliser: float) -> Tensor:
    return energy_discrepancy(data.detach(), perturbed, stabiliser)


def mean_of_logs(data: Tensor, perturbed: Tensor, stabiliser: float) -> Tensor:
    """The mean over the perturbed points outside the logarithm."""
    return torch.log(stabiliser + torch.exp(data[:, None] - perturbed)).mean()


def sum_of_points(data: Tensor, perturbed: Tensor, stabiliser: float) -> Tensor:
    """w beside the sum instead of w/M beside the mean, which is w·M beside it."""
    return energy_discrepancy(data, perturbed, stabiliser * perturbed.shape[1])


DOUBLES = (without_w, turned, detached, detached_data)


def sampled(energy: Bowl, loss: Loss, n: int = 40_000) -> tuple[Tensor, Tensor]:
    """Returns the loss of M = 1 and its gradient, over data and noise."""
    x = normal(n)
    far = gaussian(x, 1, SIGMA, stream(0, 2, "noise"))
    found = loss(energy(Point(x=x)), energy(Point(x=far[:, 0]))[:, None], 1.0)
    return found.detach(), gradient(found, energy) if found.requires_grad else torch.zeros(2)


def off(energy: Bowl, loss: Loss) -> float:
    """Returns how far a loss of M = 1 is from quadrature, in value or gradient."""
    value, slope = sampled(energy, loss)
    exact = quadrature(energy, 1.0)
    return max(float((value - exact).detach().abs()), float((slope - gradient(exact, energy)).abs().max()))


def test_with_one_point_and_w_it_is_the_integral() -> None:
    assert off(Bowl(0.7, 1.5), energy_discrepancy) < 0.012


@pytest.mark.parametrize("double", DOUBLES)
def test_quadrature_rejects(double: Loss) -> None:
    assert off(Bowl(0.7, 1.5), double) > 0.05


def test_quadrature_rejects_points_that_are_perturbed_once() -> None:
    energy, x = Bowl(0.7, 1.5), normal(40_000)
    once = x + SIGMA * torch.randn(x.shape, generator=stream(0, 2, "noise"), dtype=x.dtype)
    found = energy_discrepancy(energy(Point(x=x)), energy(Point(x=once))[:, None], 1.0)
    assert abs(float((found - quadrature(energy, 1.0)).detach())) > 0.03


# --- bits, by enumeration of all states and of all perturbed points

BITS, FLIP = 3, 0.2
STATES = torch.tensor(list(product((0.0, 1.0), repeat=BITS))).double()
APART = (STATES[:, None] != STATES[None, :]).sum(dim=2).double()
KERNEL = torch.exp(APART * log(FLIP) + (BITS - APART) * log(1 - FLIP))
DATA = torch.softmax(torch.tensor([0.3, -0.5, 1.0, 0.0, -1.0, 0.4, 0.2, 0.8]).double(), dim=0)


def enumerated(energies: Tensor, n: int, stabiliser: float) -> Tensor:
    """Returns the loss of binary data over every x, y and x_1 … x_M, of the energies [8] of all states."""
    total = torch.zeros((), dtype=torch.float64)
    for points in product(range(len(STATES)), repeat=n):
        drawn = KERNEL[:, points].prod(dim=1)  # of y, that it is perturbed to these
        inside = stabiliser + torch.exp(energies[:, None] - energies[list(points)]).sum(dim=1)
        total = total + ((DATA[:, None] * KERNEL * drawn).sum(dim=1) * (inside / n).log()).sum()
    return total


def over_bits(energies: Tensor, loss: Loss, n: int, stabiliser: float, flip: float = FLIP) -> Tensor:
    """Returns the loss of draws of the data."""
    rows = torch.repeat_interleave(torch.arange(len(STATES)), (40_000 * DATA).round().long())
    points = flipped(STATES[rows], n, flip, (0.0, 1.0), stream(0, 3, "noise"))
    place = (points @ torch.tensor([4.0, 2.0, 1.0]).double()).long()
    return loss(energies[rows], energies[place], stabiliser)


def off_bits(loss: Loss, n: int, **how: float) -> float:
    energies = torch.tensor([0.0, 1.0, -1.0, 0.5, 2.0, -0.5, 0.0, 0.3]).double().requires_grad_()
    found, exact = over_bits(energies, loss, n, 1.0, **how), enumerated(energies, n, 1.0)
    slopes = [torch.autograd.grad(each, energies)[0] for each in (found, exact)]
    return max(float((found - exact).detach().abs()), float((slopes[0] - slopes[1]).abs().max()))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_bits_agree_with_all_states_and_all_perturbed_points(n: int) -> None:
    assert off_bits(energy_discrepancy, n) < 0.005


@pytest.mark.parametrize("double", [*DOUBLES, mean_of_logs, sum_of_points])
def test_enumeration_rejects(double: Loss) -> None:
    assert off_bits(double, 2) > 0.03


def test_enumeration_rejects_another_probability_of_flips() -> None:
    assert off_bits(energy_discrepancy, 2, flip=FLIP / 2) > 0.015


def test_flips_are_those_of_two_steps() -> None:
    x = STATES[:1].expand(60_000, BITS)
    apart = (flipped(x, 1, FLIP, (0.0, 1.0), stream(0, 4, "noise"))[:, 0] != x).sum(dim=1)
    twice = 2 * FLIP * (1 - FLIP)
    for k in range(BITS + 1):
        expected = comb(BITS, k) * twice**k * (1 - twice) ** (BITS - k)
        assert float((apart == k).double().mean()) == pytest.approx(expected, abs=4 * sqrt(expected / 60_000))


def test_as_points_grow_in_number_bits_are_learned_exactly() -> None:
    energies = (-DATA.log()).requires_grad_()  # the law of the data
    mixed = (KERNEL @ torch.exp(-energies)).log()
    limit_of_many = DATA @ energies + (DATA @ KERNEL) @ mixed
    (slope,) = torch.autograd.grad(limit_of_many, energies)
    assert slope.abs().max() < 1e-12
    found = torch.autograd.grad(over_bits(energies, energy_discrepancy, 200, 0.0), energies)[0]
    assert found.abs().max() < 0.012
    biased = torch.autograd.grad(over_bits(energies, energy_discrepancy, 1, 0.0), energies)[0]
    assert biased.abs().max() > 0.02, "with one point it is another minimum"


# --- whatever the energies are


def test_the_stabiliser_bounds_it_from_below() -> None:
    far = torch.full((5, 4), 1e4)
    assert float(energy_discrepancy(torch.zeros(5), far, 1.0)) == pytest.approx(log(1 / 4))
    assert float(energy_discrepancy(torch.zeros(5), far, 0.0)) == pytest.approx(-1e4)


def test_an_offset_of_the_energy_changes_nothing() -> None:
    data, perturbed = torch.randn(6, generator=stream(0, 5, "a")), torch.randn(6, 3, generator=stream(0, 6, "b"))
    one = energy_discrepancy(data, perturbed, 1.0)
    assert float(energy_discrepancy(data + 40, perturbed + 40, 1.0)) == pytest.approx(float(one), abs=1e-4)


def test_the_temperature_divides_energies() -> None:
    energy, x = Bowl(0.7, 1.5), normal(50)

    def loss(precision: float, temperature: float) -> float:
        context = BuildContext(temperature=temperature)
        made = ebmkit.build("objective", "energy-discrepancy", context=context, sigma=SIGMA)
        with torch.no_grad():
            energy.precision.fill_(precision)
        return float(made.losses(energy, phases(energy, x))["discrepancy"].detach())

    assert loss(1.5, 1.0) == pytest.approx(loss(3.0, 2.0), abs=1e-9)

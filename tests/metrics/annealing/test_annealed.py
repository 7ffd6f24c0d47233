"""Laws of annealed importance sampling: known normalisers, and wrong doubles that miss them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from ebmkit.errors import DataError, DivergenceError
from ebmkit.metrics.annealing.annealed import Moves, moves_for, pilot
from ebmkit.metrics.annealing.log_z import LogZ, Ways, annealed_log_z, both_ways, effective_number, log_z
from ebmkit.metrics.annealing.paths import Geometric, Ladder, first_betas, interpolated, refined
from ebmkit.ops.laws import Gaussian, Uniform, fitted
from ebmkit.protocols.sampler import SamplerState
from tests.metrics.known import TwoModes

WAYS = Ways(n=96, n_pilot=24, settle=0)


def rng_of(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


def estimated(law: TwoModes, seed: int, n_temperatures: int = 25, base: Any = None) -> LogZ:
    rng = rng_of(seed)
    base = base or fitted(law.draw(1000, rng))
    return annealed_log_z(base, law.energy, law.draw(WAYS.n, rng), WAYS, rng, n_temperatures=n_temperatures)


@pytest.mark.parametrize(("d", "n_temperatures"), [(2, 25), (16, 30), (64, 40)])
def test_log_z_of_two_modes_is_within_its_error_and_the_error_is_small(d: int, n_temperatures: int) -> None:
    law = TwoModes(d=d)
    found = estimated(law, 0, n_temperatures)
    assert abs(found.value - law.log_z) < found.error < 0.8, f"{found.value - law.log_z}"


def test_it_is_within_its_error_in_five_of_six_trials() -> None:
    """`docs/ais_measured.py` makes a hundred."""
    law, found = TwoModes(d=2), [estimated(TwoModes(d=2), seed, 8) for seed in range(6)]
    assert sum(abs(one.value - law.log_z) <= one.error for one in found) >= 5


def test_with_few_chains_forward_is_below_and_reverse_above_on_the_average() -> None:
    """Log weights N(∓s²/2, s²) are those of a path with log Z = 0 that has Gaussian work."""
    rng, sd = rng_of(0), 2.0
    trials = [
        log_z(sd * torch.randn(8, generator=rng) - sd**2 / 2, sd * torch.randn(8, generator=rng) + sd**2 / 2, rng)
        for _ in range(100)
    ]
    assert sum(one.lower for one in trials) / 100 < -0.2 and sum(one.upper for one in trials) / 100 > 0.2
    assert sum(abs(one.value) <= one.error for one in trials) >= 95


@pytest.mark.parametrize("d", [2, 16])
def test_a_gaussian_annealed_from_another_one(d: int) -> None:
    """E = |x|²/2·.25 from N(1, 1): log Z = d/2 log 2π·.25."""
    base, rng = Gaussian(mean=torch.ones(d), root=torch.ones(d).double()), rng_of(1)
    starts = 0.5 * torch.randn(96, d, generator=rng)
    found = annealed_log_z(base, lambda x: 2 * x.square().sum(dim=1), starts, WAYS, rng, n_temperatures=40)
    assert abs(found.value - d / 2 * math.log(2 * math.pi * 0.25)) < found.error < 0.8


def test_from_a_uniform_base_within_bounds() -> None:
    """E = 3x₀ on [0, 1]²: Z = (1 − e⁻³)/3; the moves bounce at the walls."""
    base, rng = Uniform(low=0.0, high=1.0, event_shape=(2,)), rng_of(0)
    u = torch.rand(96, 2, generator=rng)
    starts = torch.stack([-torch.log(1 - u[:, 0] * (1 - math.exp(-3))) / 3, u[:, 1]], dim=1)
    energy, bounds = (lambda x: 3 * x[:, 0]), (0.0, 1.0)
    found = annealed_log_z(base, energy, starts, WAYS, rng, n_temperatures=10, bounds=bounds)
    assert abs(found.value - math.log((1 - math.exp(-3)) / 3)) < found.error < 0.3


@dataclass(frozen=True)
class Unnormalised(Gaussian):
    """A wrong double: the base's log normaliser is forgotten."""

    def log_prob(self, x: Tensor) -> Tensor:
        return Gaussian.log_prob(self, x) + len(self.root) / 2 * math.log(2 * math.pi)


class TakesAll:
    """A wrong double: Hamiltonian moves whose rejection step was left out."""

    def __init__(self, sampler: Any, stretch: float) -> None:
        self.sampler, self.stretch = sampler, stretch

    def init(self, point: Any, rng: Generator, tuning: Any) -> SamplerState:
        size = self.stretch * tuning["step_size"]
        return self.sampler.init(point, rng, {"step_size": size, "warmup": torch.tensor(1)})

    def step(self, view: Any, state: SamplerState) -> Any:
        return self.sampler.step(view, state)


@dataclass(frozen=True)
class WrongSign(Geometric):
    """A wrong double: one increment counts backwards."""

    def log_ratio(self, k: int, x: Tensor) -> Tensor:
        return Geometric.log_ratio(self, k, x) * (-1 if k == len(self) else 1)


def wide_ways(path: Geometric, moves: Moves, law: TwoModes) -> LogZ:
    rng = rng_of(3)
    return both_ways(path, moves, law.draw(96, rng), WAYS, rng)


def test_wrong_doubles_miss_what_the_right_one_finds() -> None:
    law, rng = TwoModes(d=16), rng_of(3)
    base = fitted(law.draw(1000, rng))
    n = 30
    path = Geometric(base=base, energy=law.energy, betas=first_betas(n))
    moves = moves_for(base, bounds=None, n_moves=1, n_leapfrog=5, n=n + 1)
    sizes = tuple(0.35 - 0.2 * beta for beta in path.betas)
    moves = replace(moves, step_sizes=sizes)
    right = wide_ways(path, moves, law)
    assert abs(right.value - law.log_z) < right.error
    doubles = {
        "no normaliser": (replace(path, base=Unnormalised(mean=base.mean, root=base.root)), moves),
        "no rejection": (path, replace(moves, sampler=TakesAll(moves.sampler, 2.2))),
        "wrong sign": (WrongSign(base=base, energy=law.energy, betas=path.betas), moves),
    }
    for name, (wrong_path, wrong_moves) in doubles.items():
        found = wide_ways(wrong_path, wrong_moves, law)
        missed = abs(found.value - law.log_z) > found.error or found.error > 3 * right.error
        assert missed, f"{name}: {found.value - law.log_z:.3f} within {found.error:.3f}"


def test_a_ladder_of_gaussians_has_the_normaliser_of_its_last_rung() -> None:
    base, rng = Gaussian(mean=torch.zeros(3), root=torch.full((3,), 3.0).double()), rng_of(0)
    rungs = [lambda x, s=s: x.square().sum(dim=1) / (2 * s**2) + s for s in (2.5, 2.0, 1.6, 1.3, 1.0)]
    moves = moves_for(base, bounds=None, n_moves=2, n_leapfrog=5, n=6)
    path = Ladder(base=base, rungs=rungs)
    moves, _ = pilot(path, moves, 24, rng)
    found = both_ways(path, moves, torch.randn(96, 3, generator=rng), WAYS, rng)
    assert abs(found.value - (1.5 * math.log(2 * math.pi) - 1.0)) < found.error < 0.5


def test_a_temperature_of_the_schedule_is_where_the_ratio_varies() -> None:
    path = Geometric(base=fitted(torch.randn(99, 2)), energy=lambda x: x[:, 0], betas=first_betas(4))
    spread = torch.tensor([0.0, 0.0, 1.0, 0.0])
    finer, sizes = refined(path, [1.0, 1.0, 2.0, 4.0, 4.0], spread, 10)
    inside = [b for b in finer.betas if path.betas[2] <= b <= path.betas[3]]
    assert len(inside) >= 9 and finer.betas[0] == 0 and finer.betas[-1] == 1 and len(sizes) == 11
    assert sorted(sizes) == list(sizes) and sizes[0] == 1.0 and sizes[-1] == pytest.approx(4.0)


def test_between_places_a_function_is_linear() -> None:
    places, values = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([0.0, 2.0, 4.0])
    assert interpolated(torch.tensor([0.0, 0.5, 2.0, 3.0]), places, values).tolist() == [0.0, 1.0, 3.0, 4.0]


def test_weights_that_are_all_equal_are_worth_all_chains() -> None:
    assert effective_number(torch.zeros(50)) == pytest.approx(50)
    assert effective_number(torch.tensor([0.0, -99.0, -99.0])) == pytest.approx(1)
    found = log_z(torch.full((9,), 3.0), torch.full((7,), 3.0), rng_of(0))
    assert found.value == pytest.approx(3.0) and found.error == pytest.approx(0, abs=1e-6)


def test_log_z_does_not_depend_on_how_data_are_scaled_but_by_the_volume() -> None:
    law = TwoModes(d=2)
    base = fitted(law.draw(1000, rng_of(0)) * torch.tensor([100.0, 1.0]))

    def stretched(x: Tensor) -> Tensor:
        return law.energy(x / torch.tensor([100.0, 1.0]))

    rng = rng_of(0)
    starts = law.draw(96, rng) * torch.tensor([100.0, 1.0])
    found = annealed_log_z(base, stretched, starts, WAYS, rng, n_temperatures=20)
    assert abs(found.value - law.log_z - math.log(100)) < found.error < 1


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(DivergenceError, match="not finite"):
        rng = rng_of(0)
        base = fitted(torch.randn(50, 2))
        annealed_log_z(base, lambda x: x[:, 0] * math.nan, torch.zeros(4, 2), WAYS, rng, n_temperatures=4)
    with pytest.raises(DataError, match="two chains"):
        log_z(torch.zeros(1), torch.zeros(9), rng_of(0))
    for bad in (torch.zeros(1, 2), torch.full((9, 2), math.nan)):
        with pytest.raises(DataError, match="at least 2 rows"):
            fitted(bad)


@pytest.mark.parametrize("d", [3, 40])
def test_a_fitted_gaussian_has_the_moments_and_the_density(d: int) -> None:
    rng = rng_of(0)
    x = 2 + 3 * torch.randn(120, d, generator=rng)
    found = fitted(x)
    assert (found.root.ndim == 2) == (d == 3), "a covariance needs rows"
    assert torch.allclose(found.sd, x.std(dim=0), rtol=1e-3)
    if d == 3:
        exact = torch.distributions.MultivariateNormal(found.mean, scale_tril=found.root)
        assert torch.allclose(found.log_prob(x.double()), exact.log_prob(x.double()))
    drawn = found.draw(20_000, rng)
    assert (drawn.mean(dim=0) - found.mean).abs().max() < 0.15 and (drawn.std(dim=0) / found.sd - 1).abs().max() < 0.05

"""Laws of bridge sampling: exact where the answer is known, and sure of no more than it knows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ebmkit.metrics.annealing.annealed import moves_for, pilot
from ebmkit.metrics.annealing.bridge import BridgedLogZ, bridged, bridged_log_z, free_energy_difference, overlaps
from ebmkit.metrics.annealing.paths import Ladder
from ebmkit.metrics.annealing.verdict import bridge_estimates, verdict
from ebmkit.ops.laws import Gaussian


def rng_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def works(n: int, mean: float, offset: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Returns energy differences of N(0, 1) and N(mean, 1) at draws of each, the second with exp(−offset) as Z."""
    rng = rng_of(seed)
    x, y = torch.randn(n, generator=rng).double(), mean + torch.randn(n, generator=rng).double()
    return tuple((z - mean).square() / 2 + offset - z.square() / 2 for z in (x, y))  # type: ignore[return-value]


@pytest.mark.parametrize(("mean", "offset"), [(0.0, 0.0), (1.0, 5.0), (2.0, -40.0), (3.0, 1.0)])
def test_the_difference_of_two_gaussians_is_exact(mean: float, offset: float) -> None:
    to, back = works(40_000, mean, offset)
    assert float(free_energy_difference(to, back)) == pytest.approx(offset, abs=0.05)


def test_it_varies_less_than_averages_from_one_side_and_doubles_are_wrong() -> None:
    """The doubles: the sign of one side, both sides exchanged, and exponential averages of one side alone."""
    many = [works(200, 2.0, 1.0, seed) for seed in range(60)]
    found = torch.stack([free_energy_difference(to, back) for to, back in many])
    one = torch.stack([math.log(200) - torch.logsumexp(-to, dim=0) for to, _ in many])
    assert abs(float(found.mean()) - 1) < 0.05 and float(found.std()) < 0.5 * float(one.std())
    to, back = works(20_000, 2.0, 1.0)
    for wrong in (
        free_energy_difference(to, -back),
        free_energy_difference(-to, back),
        -free_energy_difference(to, back),
    ):
        assert abs(float(wrong) - 1) > 0.5


@pytest.mark.parametrize("mean", [0.0, 1.0, 4.0])
def test_overlap_is_that_of_the_densities(mean: float) -> None:
    grid = torch.linspace(-9, 13, 40_001, dtype=torch.float64)
    one, two = torch.exp(-grid.square() / 2), torch.exp(-(grid - mean).square() / 2)
    exact = float((2 * one * two / (one + two)).sum() * 22 / 40_000 / math.sqrt(2 * math.pi))
    to, back = works(40_000, mean, 3.0)
    assert float(overlaps(to, back, torch.tensor(3.0))) == pytest.approx(exact, abs=0.01)


def test_the_error_is_that_of_many_repetitions() -> None:
    found = [
        bridged(*(torch.stack([work, work]) for work in works(100, 1.5, 0.0, seed)), rng_of(seed)) for seed in range(60)
    ]
    spread = float(torch.tensor([one.value for one in found]).std())
    assert 0.7 < spread / (sum(one.error for one in found) / 60) < 1.4, "also where a chain is as wrong at every step"


LADDER = Ladder(
    base=Gaussian(mean=torch.zeros(3), root=torch.full((3,), 3.0).double()),
    rungs=[lambda x, s=s: x.square().sum(dim=1) / (2 * s**2) + s for s in (2.5, 2.0, 1.6, 1.3, 1.0)],
)


def test_a_ladder_of_gaussians_has_the_normaliser_of_its_last_rung() -> None:
    moves, _ = pilot(LADDER, moves_for(LADDER.base, bounds=None, n_moves=1, n_leapfrog=5, n=6), 24, rng_of(0))
    found = bridged_log_z(LADDER, moves, 400, rng_of(0), n_transitions=12)
    assert abs(found.value - (1.5 * math.log(2 * math.pi) - 1.0)) < 4 * found.error < 0.4
    assert 0.5 < found.overlap < 1


def test_chains_that_stand_still_are_not_in_equilibrium_and_more_moves_tell() -> None:
    moves = moves_for(LADDER.base, bounds=None, n_moves=1, n_leapfrog=5, n=6)
    still = replace(moves, step_sizes=(0.1,) * 6)
    few, many = (bridged_log_z(LADDER, still, 200, rng_of(0), n_transitions=n) for n in (1, 20))
    exact = 1.5 * math.log(2 * math.pi) - 1.0
    assert few.value < many.value < exact - 4 * many.error
    assert "not in equilibrium" in " ".join(verdict({8: few, 30: many}, torch.zeros(100), 1.0))


def of(value: float, error: float = 0.01, overlap: float = 0.9) -> BridgedLogZ:
    return BridgedLogZ(value=value, error=error, overlap=overlap)


@pytest.mark.parametrize(
    ("bridged", "words", "silent"),
    [
        ({8: of(-9.0), 30: of(-9.02)}, ["near 0"], ["means nothing", "equilibrium", "overlap"]),
        ({8: of(0.0), 30: of(0.0)}, ["sums to 8.1e+03, not to 1", "means nothing"], ["equilibrium", "near 0, within"]),
        ({8: of(-900.0), 30: of(-900.0)}, ["does not sum to 1", "means nothing"], []),
        ({8: of(-9.0), 30: of(0.0)}, ["not in equilibrium", "near 0, within", "means nothing"], []),
        ({8: of(-9.0, error=3.0)}, ["too uncertain"], ["means nothing", "near 0, within"]),
        ({8: of(-30.0, error=3.0)}, ["means nothing"], ["too uncertain"]),
        ({8: of(-9.16, error=0.04)}, ["-0.16 ± 0.04", "near 0, within 0.1 nats and two standard errors"], []),
        ({8: of(-9.0, overlap=0.01)}, ["overlap by 0.01"], []),
    ],
)
def test_the_verdict_is_said_in_words(bridged: dict[int, BridgedLogZ], words: list[str], silent: list[str]) -> None:
    pass_z = torch.full((50,), -9.0)
    told = " ".join(verdict(bridged, pass_z, 1.0))
    assert all(word in told for word in words) and not any(word in told for word in silent), told
    estimate = bridge_estimates(bridged, pass_z)["log Z, bridge, 8 moves"]
    assert estimate.value == bridged[8].value + 9
    assert not estimate.better  # near 0 is good, -100 is not better than it

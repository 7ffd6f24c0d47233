"""Laws of the counts of jumps, and of what follows from them."""

import pytest
import torch
from ebmkit_diffusion.level_mixing import (
    NEVER,
    first_record,
    hitting_time,
    level_metrics,
    rates,
    recorded,
    round_trip,
    shares,
)  # fmt: skip
from hypothesis import given, settings
from hypothesis import strategies as st

from ebmkit import Point
from ebmkit.protocols.sampler import SamplerInfo


def info_of(rate, n_moves=10):
    return SamplerInfo(
        start=Point(x=torch.zeros(len(rate), 1)),
        accept_rate=torch.tensor(rate),
        n_moves=n_moves,
        n_gradients=0,
        n_proposals=n_moves,
    )


def test_counts_are_pooled_and_fade():
    record = first_record(3, torch.device("cpu"))
    before, after = torch.tensor([0, 0, 2]), torch.tensor([0, 1, 2])
    record = recorded(record, before, after, info_of([0.5, 1.0, 0.0]), memory=4.0)
    assert record["jumps"].tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert record["tried"].tolist() == [20, 0, 10] and record["accepted"].tolist() == [15, 0, 0]
    again = recorded(record, before, before, info_of([0.5, 1.0, 0.0]), memory=4.0)
    assert again["jumps"].tolist() == [[2.75, 0.75, 0], [0, 0, 0], [0, 0, 1.75]]
    assert shares(record["jumps"]).tolist() == pytest.approx([1 / 3] * 3)


def test_a_level_without_trials_has_no_rate():
    record = recorded(first_record(2, torch.device("cpu")), *[torch.tensor([1])] * 2, info_of([0.25]), memory=9.0)
    assert rates(record)[0].isnan() and rates(record)[1] == 0.25
    assert level_metrics(record, torch.ones(2))["level.0.accept_rate"] == -1


@pytest.mark.parametrize("n", [2, 5, 30])
def test_a_round_trip_of_the_symmetric_walk_takes_what_theory_says(n):
    """Steps ±1 with probability ½ each, reflected: L² − L transitions there, as many back."""
    walk = torch.diag(torch.full((n - 1,), 0.5), 1) + torch.diag(torch.full((n - 1,), 0.5), -1)
    walk[0, 0] = walk[-1, -1] = 0.5
    assert float(round_trip(1e4 * walk)) == pytest.approx(2 * n * (n - 1), rel=1e-3)


def test_a_uniform_draw_returns_after_twice_the_number_of_levels():
    assert float(round_trip(torch.ones(8, 8))) == pytest.approx(16, rel=1e-4)


def test_levels_that_never_mix_say_never():
    assert float(round_trip(torch.eye(4))) == NEVER
    assert float(round_trip(torch.zeros(4, 4))) <= NEVER


@settings(max_examples=5)
@given(st.integers(0, 99), st.integers(2, 6))
def test_the_hitting_time_is_what_simulation_gives(seed, n):
    rng = torch.Generator().manual_seed(seed)
    transition = torch.rand(n, n, generator=rng, dtype=torch.float64) + 0.2
    transition = transition / transition.sum(dim=1, keepdim=True)
    place, steps, arrived = torch.zeros(1000, dtype=torch.int64), torch.zeros(1000), torch.zeros(1000, dtype=torch.bool)
    for _ in range(150):
        place = torch.multinomial(transition[place], 1, generator=rng)[:, 0]
        steps += ~arrived
        arrived |= place == n - 1
    error = float(steps.std()) / 1000**0.5
    assert abs(float(steps.mean()) - float(hitting_time(transition, n - 1)[0])) < 5 * error

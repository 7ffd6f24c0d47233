"""Calls are timed in turn, and what autograd keeps is counted once and only while it is kept."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.benchmarks.timing import Spread, bytes_kept, interleaved, ratios, threads


class Clock:
    """Time passes only where a call spends it."""

    def __init__(self):
        self.now, self.made = 0.0, []

    def __call__(self):
        return self.now

    def call(self, name, seconds):
        def spend():
            self.made.append(name)
            self.now += seconds

        return spend


def test_every_round_makes_every_call_once_and_times_it():
    clock = Clock()
    calls = {"a": clock.call("a", 1.0), "b": clock.call("b", 2.0), "c": clock.call("c", 4.0)}
    times = interleaved(calls, seconds=0.0, least=6, clock=clock)
    assert times == {"a": [1.0] * 6, "b": [2.0] * 6, "c": [4.0] * 6}
    rounds = [tuple(clock.made[i : i + 3]) for i in range(0, 18, 3)]
    assert all(sorted(made) == ["a", "b", "c"] for made in rounds)
    assert len(set(rounds)) > 2
    assert {made[made.index("a") - 1] for made in rounds if made[0] != "a"} == {"b", "c"}


@pytest.mark.parametrize(("seconds", "least", "most", "rounds"), [(9.5, 1, 99, 4), (0, 2, 99, 2), (99, 1, 5, 5)])
def test_rounds_are_begun_until_the_time_is_spent(seconds, least, most, rounds):
    clock = Clock()
    times = interleaved({"a": clock.call("a", 3.0)}, seconds=seconds, least=least, most=most, clock=clock)
    assert len(times["a"]) == rounds


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=9), st.floats(0.1, 10))
def test_ratios_do_not_see_a_machine_that_slows_down(slowness, factor):
    found = ratios([factor * s for s in slowness], slowness)
    assert found.median == pytest.approx(factor)
    assert found.high - found.low == pytest.approx(0, abs=1e-9)


def test_spread_of_known_values():
    assert Spread.of([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(3.0, 2.0, 4.0)
    assert Spread.of([2.0]) == Spread(2.0, 2.0, 2.0)


def test_bytes_kept_counts_each_storage_once_and_lets_go():
    x, y = torch.ones(1000, requires_grad=True), torch.ones(1000)

    def once():
        torch.autograd.grad((x.exp() + x * y).sum(), x)

    assert bytes_kept(once) == 2 * 4000  # the exponential and y
    assert bytes_kept(lambda: [once() for _ in range(3)]) == 2 * 4000
    assert bytes_kept(lambda: torch.autograd.grad((x.square() * x).sum(), x)) == 2 * 4000  # x, kept twice, and x²
    kept = []
    assert bytes_kept(lambda: kept.extend(x.exp() for _ in range(3))) == 3 * 4000


def test_without_a_graph_nothing_is_kept():
    assert bytes_kept(lambda: torch.ones(5).exp()) == 0


def test_threads_are_as_before_afterwards():
    before = torch.get_num_threads()
    with threads(before + 1) as n:
        assert n == torch.get_num_threads() == before + 1
    with threads(None) as n:
        assert n == before
    assert torch.get_num_threads() == before

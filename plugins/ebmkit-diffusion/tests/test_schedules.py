"""Laws of noise schedules: published numbers, monotony, and what is refused."""

from itertools import pairwise
from math import log, sqrt

import pytest
from ebmkit_diffusion.schedules import (
    LAST_SIGNAL,
    SCHEDULES,
    WITHOUT_ENDS,
    ending_in_noise,
    even,
    from_signals,
    log_snr_cosine,
    signals,
    sqrt_cumulative_linear,
    usual_ends,
    wrong_with,
)  # fmt: skip
from hypothesis import given
from hypothesis import strategies as st


def test_the_published_schedule_of_the_rings():
    kept = [sqrt(signal) for signal in signals(sqrt_cumulative_linear(6, 1e-2, 0.3))]
    printed = [1, 0.99995, 0.9969, 0.976, 0.899, 0.699, 0.257]
    assert kept == pytest.approx(printed, abs=6e-4) and kept[1] == pytest.approx(0.99995, abs=1e-6)


def test_the_published_schedule_of_the_images():
    spread = [sqrt(1 - signal) for signal in signals(sqrt_cumulative_linear(50, 2e-4, 2e-2))]
    assert spread[0] == 0 and spread[1] == pytest.approx(2e-4)
    assert spread[25] == pytest.approx(0.29, abs=5e-3) and spread[50] == pytest.approx(0.972, abs=5e-4)


@given(st.sampled_from(sorted(SCHEDULES)), st.integers(1, 120))
def test_every_schedule_with_its_usual_ends_is_monotone_and_ends_in_noise(name, n):
    low, high = (0.0, 0.0) if name in WITHOUT_ENDS else usual_ends(name, n)
    betas = SCHEDULES[name](n, low, high)
    assert len(betas) == n + 1 and betas[0] == 0 and not wrong_with(betas)
    assert all(0 < beta <= 1 for beta in betas[1:])
    assert signals(betas)[-1] <= 1.25 * LAST_SIGNAL or (name == "log-snr-cosine" and n == 1)


@pytest.mark.parametrize("betas", [(0.0, 0.1, 0.0), (0.0, 0.0), (0.0, 1.0, 1.0), (0.0, 0.5, -0.1)])
def test_a_level_that_holds_no_less_than_the_one_before_is_refused(betas):
    assert "not monotone" in wrong_with(betas) and f"level {len(betas) - 1}" in wrong_with(betas)


def test_the_cosine_follows_its_curve():
    kept = signals(SCHEDULES["cosine"](100, 0.0, 0.0))
    assert kept[50] == pytest.approx(0.4939, abs=2e-3) and kept[10] == pytest.approx(0.972, abs=2e-3)


@given(st.integers(2, 60))
def test_the_log_snr_cosine_has_its_ends(n):
    kept = signals(log_snr_cosine(n))
    assert log(kept[1] / (1 - kept[1])) == pytest.approx(9.8) and log(kept[-1] / (1 - kept[-1])) == pytest.approx(-5.1)


def apart(kept, low, high):
    """Returns the Fisher distance of neighbouring levels, of data narrow in one direction and wide in the other."""
    variances = [(signal * low**2 + 1 - signal, signal * high**2 + 1 - signal) for signal in kept]
    return [sqrt(sum(log(b / a) ** 2 for a, b in zip(one, two, strict=True))) for one, two in pairwise(variances)]


@given(st.integers(2, 60), st.sampled_from([0.05, 0.15, 0.6]), st.sampled_from([0.5, 1.0, 3.0]))
def test_levels_of_the_even_schedule_are_equally_far_apart_and_end_in_noise(n, low, high):
    kept = signals(even(n, low, high))
    assert kept[0] == 1 and kept[-1] == 0 and not wrong_with(even(n, low, high))
    found = apart(signals(even(30, low, high)), low, high)
    assert max(found) < 1.05 * min(found)
    wrong = apart(signals(sqrt_cumulative_linear(6, 1e-2, 0.3)), low, high)
    assert max(wrong) > 2 * min(wrong), "the double: the published levels are not"


def test_with_data_of_unit_sd_the_even_schedule_is_geometric():
    sds = [sqrt(signal * 0.01 + 1 - signal) for signal in signals(even(8, 0.1, 1.0))]
    assert sds == pytest.approx([0.1 ** (1 - t / 8) for t in range(9)], rel=1e-3)


def test_the_even_schedule_can_stop_before_pure_noise():
    kept = signals(even(30, 0.15, 0.8, 0.055))
    found = apart(kept, 0.15, 0.8)
    assert kept[-1] == pytest.approx(0.055) and len(kept) == 31 and max(found) < 1.05 * min(found)


@given(st.sampled_from(sorted(SCHEDULES.keys() - {"even"})), st.integers(1, 60))
def test_a_schedule_can_end_in_pure_noise(name, n):
    low, high = (0.0, 0.0) if name in WITHOUT_ENDS else usual_ends(name, n)
    before = SCHEDULES[name](n, low, high)
    betas = ending_in_noise(before)
    assert signals(betas)[:-1] == signals(before) and signals(betas)[-1] == 0 and not wrong_with(betas)


def test_signals_and_betas_are_one_thing():
    kept = [1.0, 0.7, 0.2, 0.0]
    assert signals(from_signals(kept[1:])) == pytest.approx(kept)

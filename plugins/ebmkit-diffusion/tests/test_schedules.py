"""Laws of noise schedules: published numbers, monotony, and what is refused."""

from math import sqrt

import pytest
from ebmkit_diffusion.schedules import LAST_SIGNAL, SCHEDULES, signals, sqrt_cumulative_linear, usual_ends, wrong_with
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
    low, high = (0.0, 0.0) if name == "cosine" else usual_ends(name, n)
    betas = SCHEDULES[name](n, low, high)
    assert len(betas) == n + 1 and betas[0] == 0 and not wrong_with(betas)
    assert all(0 < beta <= 1 for beta in betas[1:])
    assert signals(betas)[-1] <= 1.25 * LAST_SIGNAL


@pytest.mark.parametrize("betas", [(0.0, 0.1, 0.0), (0.0, 0.0), (0.0, 1.0, 1.0), (0.0, 0.5, -0.1)])
def test_a_level_that_holds_no_less_than_the_one_before_is_refused(betas):
    assert "not monotone" in wrong_with(betas) and f"level {len(betas) - 1}" in wrong_with(betas)


def test_the_cosine_follows_its_curve():
    kept = signals(SCHEDULES["cosine"](100, 0.0, 0.0))
    assert kept[50] == pytest.approx(0.4939, abs=2e-3) and kept[10] == pytest.approx(0.972, abs=2e-3)

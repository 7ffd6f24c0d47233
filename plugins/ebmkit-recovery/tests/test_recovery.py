"""The conditional energy on Gaussian data is the closed form; without the anchor, or with another σ, it is not."""

import pytest
import torch
from ebmkit_recovery.declarations import ANCHOR, LEVEL
from ebmkit_recovery.ladder import ladder
from recovery_gaussian import LADDER, MEAN, SD, T, at, exact, lifted, marginal, posterior

from ebmkit import CapabilityError, Point, score


def test_the_steps_are_those_of_the_published_code():
    """Step 0 is the noise of x_0, s.d. √1e-4; then 100, 200, …, 500, and 999 with T = 6."""
    kept = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64).neg().add(1).cumprod(0).sqrt()
    steps = [0, 100, 200, 300, 400, 500, 999]
    published = ladder(6, 0.01)
    assert published.kept == pytest.approx([float(kept[step] / kept[0]) for step in steps])
    assert published.totals[3] == pytest.approx(float((1 - kept[300] ** 2).sqrt()), rel=1e-3)


@pytest.mark.parametrize("spacing", ["published", "even"])
@pytest.mark.parametrize("n", [1, 2, 6, 50, 200])
def test_the_ladder_keeps_the_variance_and_ends_in_noise(n, spacing):
    made = ladder(n, 0.0, spacing)
    for t in range(1, n + 1):
        assert made.scales[t] ** 2 + made.sds[t] ** 2 == pytest.approx(1)
        assert made.kept[t] == pytest.approx(made.kept[t - 1] * made.scales[t]) and made.kept[t] < made.kept[t - 1]
    assert made.kept[-1] < 0.01 and made.kept[0] == 1


def test_lifted_rows_have_the_laws_of_the_ladder():
    point = lifted(200_000)
    level = point.aux[LEVEL]
    assert int(level.min()) == 1 and int(level.max()) == T
    for t in range(1, T + 1):
        y, anchor = point.x[level == t], point.aux[ANCHOR][level == t]
        mean, variance = marginal(t)
        assert float(y.mean()) == pytest.approx(mean, abs=0.02) and float(y.var()) == pytest.approx(variance, rel=0.03)
        assert float((anchor - y).std()) == pytest.approx(LADDER.sds[t], rel=0.02)
        assert abs(float(((anchor - y) * (y - mean)).mean())) < 0.02, "the noise of the anchor is its own"
    last = point.aux[ANCHOR][level == T]
    assert float(last.mean()) == pytest.approx(0, abs=0.02) and float(last.std()) == pytest.approx(1, rel=0.02)


def conditional_score(energy, t, temperature=1.0):
    """Returns the score that an energy has and the closed form at random points."""
    rng = torch.Generator().manual_seed(t)
    x, anchor = (torch.randn(9, 2, generator=rng) for _ in range(2))
    mean, variance = posterior(t, anchor)
    return score(energy, at(t, x, anchor)) / temperature, (mean - x) / variance


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("t", range(1, T + 1))
def test_the_energy_given_the_anchor_is_that_of_the_posterior(t, temperature):
    energy = exact(temperature)
    torch.testing.assert_close(*conditional_score(energy, t, temperature), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("factor", [0.0, 0.25, 4.0], ids=["no-anchor", "twice-sigma", "half-sigma"])
def test_doubles_without_the_anchor_or_with_another_sigma_are_found(factor):
    energy = exact()
    energy.precisions = energy.precisions * factor
    for t in range(1, T + 1):
        found, wanted = conditional_score(energy, t)
        assert float((found - wanted).detach().abs().max()) > 0.1


def test_level_0_is_the_law_of_data_whatever_the_anchor():
    energy, x = exact(), torch.randn(7, 2)
    found = score(energy, at(0, x, torch.randn(7, 2)))
    torch.testing.assert_close(found, (MEAN - x) / (SD**2 + LADDER.smooth**2), rtol=1e-4, atol=1e-4)


def test_a_point_without_level_or_anchor_is_refused():
    with pytest.raises(CapabilityError, match=r"its recovery-level and anchor.*Add --coordinate"):
        exact()(Point(x=torch.zeros(3, 2)))

"""Laws of the likelihood in one pass, on a joint of x and a noise level in closed form: Gaussian data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.data.given import given_data
from ebmkit.errors import CapabilityError
from ebmkit.evaluation.subject import ModelSubject
from ebmkit.metrics import likelihood
from ebmkit.metrics.annealing.noised import kl_from_gaussian
from ebmkit.metrics.declarations.likelihood import LikelihoodConfig
from ebmkit.metrics.likelihood import Likelihood
from ebmkit.ops.laws import Gaussian, Mixture
from ebmkit.point import Point
from ebmkit.protocols.metric import Measured
from ebmkit.recipes.tables import EvalConfig
from tests.metrics.diffused import Noise, model_of

MEAN, SD = 1.5, 0.7
X = MEAN + SD * torch.randn(4_000, 2, generator=torch.Generator().manual_seed(0))
CONFIG = LikelihoodConfig(n_chains=64)
NOTHING = "means nothing"
ENTROPY = 1 + math.log(2 * math.pi * SD**2)


class Joint:
    """−log p(x | t) of N(1.5, .7² I) diffused, and an offset of all levels alike."""

    abilities = frozenset({"levels.noise"})

    def __init__(self, offsets: tuple[float, ...] = (9.0, 9.0, 9.0, 9.0), scale: float = 1.0) -> None:
        self.offsets, self.scale = torch.tensor(offsets), scale

    def __call__(self, point: Point) -> Tensor:
        kept = Noise().kept[point.aux["noise"]][:, None]
        variance = kept * SD**2 + 1 - kept
        squares = (point.x - kept.sqrt() * MEAN).square() / (2 * variance) + (2 * math.pi * variance).log() / 2
        return self.scale * squares.sum(dim=1) + self.offsets[point.aux["noise"]]


def measured(model: Any, x: Tensor = X, config: LikelihoodConfig = CONFIG) -> Measured:
    subject = ModelSubject(model=model, config=EvalConfig(n=50, n_data=2_000), dataset=given_data(x, device="cpu"))
    return Likelihood(config).measure(subject)


def told(found: Measured) -> str:
    return " ".join(found.notes)


def test_the_exact_joint_has_the_entropy_of_its_data_and_is_certified() -> None:
    found = measured(model_of(Joint(), Noise()))
    one, both = (found.estimates[name] for name in
                 ("−log p, one pass", "−log p of held-out data, log Z both ways"))  # fmt: skip
    assert abs(one.value - ENTROPY) < 4 * (one.error or 0) + 0.02 and (one.error or 0) < 0.05
    assert abs(both.value - ENTROPY) < (both.error or 0) < 0.6
    assert abs(found.estimates["log Z of one pass"].value + 9) < 0.02, "Z of every level is exp(−9)"
    assert abs(found.estimates["log Z"].value + 9) < (found.estimates["log Z"].error or 0)
    assert found.estimates["its spread over data"].value < 0.05
    assert found.estimates["KL(q ‖ Gaussian), at most"].value < 0.02
    assert "within the error" in told(found) and "near 0" in told(found) and NOTHING not in told(found)
    for moves in (8, 30):
        summed = found.estimates[f"log Z, bridge, {moves} moves"]
        assert abs(summed.value) < 4 * (summed.error or 0) and (summed.error or 0) < 0.1
    bits = found.estimates["−log p, one pass, a dimension"]
    assert bits.value == pytest.approx(one.value / (2 * math.log(2))) and bits.unit == "bits/dim"


def test_levels_of_unequal_mass_are_found_by_the_two_sided_check_alone() -> None:
    """A wrong double: three nats more at level 0 move the one pass, and it cannot know."""
    found = measured(model_of(Joint((6.0, 7.0, 8.0, 9.0)), Noise()))
    assert found.estimates["−log p, one pass"].value == pytest.approx(ENTROPY - 3, abs=0.1)
    assert abs(found.estimates["−log p of held-out data, log Z both ways"].value - ENTROPY) < 0.5
    assert "not certified" in told(found) and NOTHING in told(found)
    assert found.estimates["log Z, bridge, 30 moves"].value == pytest.approx(3, abs=0.3)


def test_a_model_that_is_wrong_at_the_last_level_has_a_spread_over_data() -> None:
    found = measured(model_of(Joint(scale=2.0), Noise()))
    assert found.estimates["its spread over data"].value > 0.3
    assert "not one number" in told(found)


CENTRES = torch.linalg.qr(torch.randn(16, 4, generator=torch.Generator().manual_seed(1))).Q.T * 1.5
IN_NOISE = (1.0, 0.98, 0.9, 0.7, 0.3, 0.0)


class Modes:
    """−log p(x | t) of four modes of s.d. .4 in 16 dimensions, diffused to pure noise, and offsets of levels."""

    abilities = frozenset({"levels.noise"})

    def __init__(self, offsets: tuple[float, ...] = (0.0,) * 6, sign: float = 1.0) -> None:
        self.offsets, self.sign = torch.tensor(offsets), sign

    def __call__(self, point: Point) -> Tensor:
        kept = Noise(kept=IN_NOISE).kept[point.aux["noise"]]
        variance = kept * 0.16 + 1 - kept
        squares = (point.x[:, None] - kept.sqrt()[:, None, None] * CENTRES).square().sum(dim=2)
        inside = torch.logsumexp(-squares / (2 * variance[:, None]), dim=1) - math.log(4)
        return self.sign * (8 * (2 * math.pi * variance).log() - inside) + self.offsets[point.aux["noise"]]


def draws_of_modes(n: int) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return CENTRES[torch.randint(4, (n,), generator=rng)] + 0.4 * torch.randn(n, 16, generator=rng)


def of_modes(energy: Modes, config: LikelihoodConfig = CONFIG) -> Measured:
    noise = Noise(kept=IN_NOISE)
    return measured(model_of(energy, noise, event_shape=(16,)), draws_of_modes(3_000), config)


def test_of_an_exact_mixture_in_16_dimensions_one_pass_is_the_truth_and_wrong_doubles_are_named() -> None:
    quick = LikelihoodConfig(n_chains=32, between=1, bridge=(8,), n_leapfrog=3)
    found = of_modes(Modes(), quick)
    held = found.estimates["−log p, one pass, a dimension"]
    level = torch.zeros(20_000, dtype=torch.int64)
    truth = float(Modes()(Point(x=draws_of_modes(20_000), aux={"noise": level})).mean()) / (16 * math.log(2))
    assert abs(held.value - truth) < 4 * (held.error or 0) and (held.error or 0) < 0.02
    assert NOTHING not in told(found) and abs(found.estimates["log Z, bridge, 8 moves"].value) < 1
    forgotten = of_modes(Modes((2.0, 0.0, 0.0, 0.0, 0.0, 0.0)), quick)
    assert NOTHING in told(forgotten), "an offset of a level that the energy does not hold"


def test_another_scale_of_the_last_law_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def narrow(x: Tensor, coordinate: Any, value: int) -> Gaussian:
        return Gaussian(mean=torch.zeros(2), root=torch.full((2,), 0.5).double())

    monkeypatch.setattr("ebmkit.metrics.likelihood.gaussian_at", narrow)
    found = measured(model_of(Joint(), Noise()))
    assert abs(found.estimates["−log p, one pass"].value - ENTROPY) > 1
    assert "not one number" in told(found) and NOTHING in told(found)


def test_the_wrong_sign_of_the_energies_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    right = likelihood._in_rows
    monkeypatch.setattr(likelihood, "_in_rows", lambda energy, x: -right(energy, x))
    found = measured(model_of(Joint((0.0, 0.0, 0.0, 0.0)), Noise()))
    assert abs(found.estimates["−log p, one pass"].value - ENTROPY) > 1
    assert NOTHING in told(found)


def test_data_in_a_range_have_the_density_of_their_own_units() -> None:
    """The same joint for data that are ten times as wide: x of chains is (x − 10)/10."""
    found = measured(model_of(Joint(), Noise((0.0, 20.0)), value_range=(0.0, 20.0)), 10 + 10 * X)
    for name in ("−log p, one pass", "−log p of held-out data, log Z both ways"):
        one = found.estimates[name]
        assert abs(one.value - (ENTROPY + 2 * math.log(10))) < 4 * (one.error or 0) + 0.02


def test_kl_of_two_far_modes_from_their_gaussian_is_held_between() -> None:
    """q = ½N(−3, 1) + ½N(3, 1): KL from N(0, 10) by a sum over a fine grid."""
    rng, noise = torch.Generator().manual_seed(0), (1.0, 1.0)
    x = (2.0 * torch.randint(2, (3_000, 1), generator=rng) - 1) * 3 + 1e-3 * torch.randn(3_000, 1, generator=rng)
    gaussian = Gaussian(mean=torch.zeros(1), root=torch.tensor([10.0]).double().sqrt())
    grid = torch.linspace(-12, 12, 20_001, dtype=torch.float64)[:, None]
    log_q = Mixture(centres=torch.tensor([[-3.0], [3.0]]).double(), sd=torch.tensor(1.0)).log_prob(grid)
    exact = float((log_q.exp() * (log_q - gaussian.log_prob(grid))).sum() * 24 / 20_000)
    found = kl_from_gaussian(x[:1_500], x[1_500:], gaussian, noise, rng)
    assert found.lower - 4 * found.lower_error < exact < found.upper + 4 * found.upper_error
    assert found.upper - found.lower < 0.01


@pytest.mark.parametrize("d", [2, 40])
def test_few_data_leave_a_wide_interval_that_still_holds_the_kl(d: int) -> None:
    """Gaussian data have no KL; in 40 dimensions 200 of them cannot show it, and the interval says so."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(400, d, generator=rng)
    gaussian = Gaussian(mean=torch.zeros(d), root=torch.ones(d).double())
    found = kl_from_gaussian(x[:200], x[200:], gaussian, (0.8, 0.6), rng)
    assert found.lower < 3 * found.lower_error and found.upper > -3 * found.upper_error
    assert (found.upper - found.lower > 3) == (d == 40)


class Silent(Noise):
    noise = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: model_of(lambda p: p.x.square().sum(dim=1)), "needs a joint model"),
        (lambda: model_of(lambda p: p.x.square().sum(dim=1), Noise()), "does not give those of all values"),
        (lambda: model_of(Joint(), Silent()), "does not say its noise"),
    ],
)
def test_what_is_no_joint_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(CapabilityError, match=message):
        measured(make())

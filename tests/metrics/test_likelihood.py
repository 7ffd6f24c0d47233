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


def measured(model: Any, x: Tensor = X) -> Measured:
    subject = ModelSubject(model=model, config=EvalConfig(n=50, n_data=2_000), dataset=given_data(x, device="cpu"))
    return Likelihood(CONFIG).measure(subject)


def test_the_exact_joint_has_the_entropy_of_its_data_and_is_certified() -> None:
    found = measured(model_of(Joint(), Noise()))
    one, both = (found.estimates[name] for name in
                 ("−log p, one pass", "−log p of held-out data, log Z both ways"))  # fmt: skip
    assert abs(one.value - ENTROPY) < 4 * (one.error or 0) + 0.02 and (one.error or 0) < 0.05
    assert abs(both.value - ENTROPY) < (both.error or 0) < 0.6
    assert abs(found.estimates["log Z of one pass"].value + 9) < 0.02, "Z of every level is exp(−9)"
    assert abs(found.estimates["log Z"].value + 9) < (found.estimates["log Z"].error or 0)
    assert found.estimates["its spread over data"].value < 0.05
    assert found.estimates["KL(q ‖ Gaussian), at most"].value < 0.02 and "within the error" in found.notes[0]


def test_levels_of_unequal_mass_are_found_by_the_two_sided_check_alone() -> None:
    """A wrong double: three nats more at level 0 move the one pass, and it cannot know."""
    found = measured(model_of(Joint((6.0, 7.0, 8.0, 9.0)), Noise()))
    assert found.estimates["−log p, one pass"].value == pytest.approx(ENTROPY - 3, abs=0.1)
    assert abs(found.estimates["−log p of held-out data, log Z both ways"].value - ENTROPY) < 0.5
    assert "not certified" in found.notes[0]


def test_a_model_that_is_wrong_at_the_last_level_has_a_spread_over_data() -> None:
    found = measured(model_of(Joint(scale=2.0), Noise()))
    assert found.estimates["its spread over data"].value > 0.3


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

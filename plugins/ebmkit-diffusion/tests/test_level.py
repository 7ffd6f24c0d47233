"""Laws of the noise level as a coordinate."""

import pytest
import torch
from ebmkit_diffusion.level import Level
from ebmkit_diffusion.level_embedding import level_coordinate
from ebmkit_diffusion.level_gaussians import gaussians_of
from ebmkit_diffusion.wrapper_declarations import LevelHeadConfig
from hypothesis import given
from hypothesis import strategies as st

import ebmkit
from ebmkit import BuildContext, CapabilityError, Point
from ebmkit.assembly.build import build
from ebmkit.errors import RecipeError
from ebmkit.point import Batch
from ebmkit.protocols.coordinate import Coordinate

RNG = torch.Generator


def level(shape=(2,), value_range=None, **config):
    return build("coordinate", "level", context=BuildContext(event_shape=shape, value_range=value_range), **config)


def test_stratified_levels_are_spread_evenly_and_each_row_has_the_law_of_all():
    coordinate, rng, at_first = level(stratified=True, noise_levels=6), torch.Generator().manual_seed(0), []
    for _ in range(700):
        point = coordinate.lift(Batch(x=torch.zeros(10, 2)), Point(x=torch.zeros(10, 2)), rng)
        counts = point.aux["level"].bincount(minlength=7)
        assert int(counts.min()) >= 1 and int(counts.max()) <= 2, "10 rows, 7 levels"
        at_first.append(point.aux["level"][0])
    found = torch.stack(at_first).bincount(minlength=7) / 700
    assert float((found - 1 / 7).abs().max()) < 4 * (6 / 49 / 700) ** 0.5


def test_it_is_a_discrete_coordinate_that_noises_x():
    coordinate = level()
    assert isinstance(coordinate, Coordinate) and coordinate.n_values == 7
    assert coordinate.noises_x and coordinate.leaves_data
    assert level((1, 28, 28)).n_values == 51, "images have the published 50 levels"


def test_lifted_data_have_the_law_of_their_level():
    coordinate, x = level(noise_levels=4), torch.randn(200_000, 1, generator=RNG().manual_seed(0)) * 0.3 + 1
    point = coordinate.lift(Batch(x=x), Point(x=x), RNG().manual_seed(1))
    for t in range(5):
        rows = point.aux["level"] == t
        kept, n = float(coordinate.signals[t]), int(rows.sum())
        found, sd = point.x[rows], (kept * 0.09 + 1 - kept) ** 0.5
        assert abs(n / 200_000 - 0.2) < 0.005
        assert abs(float(found.mean()) - kept**0.5) < 5 * sd / n**0.5
        assert float(found.std()) == pytest.approx(sd, rel=0.02)
        slope = float(((x[rows] - 1) * (found - kept**0.5)).mean()) / 0.09
        assert slope == pytest.approx(kept**0.5, abs=0.05), "rows stay paired with their data"
    clean = point.aux["level"] == 0
    assert torch.equal(point.x[clean], x[clean]) and torch.equal(coordinate.is_data(point), clean)
    assert torch.equal(coordinate.signal(point), coordinate.signals[point.aux["level"]])


def test_the_first_published_level_has_its_tiny_noise():
    coordinate = level((1, 28, 28))
    assert float(coordinate.spreads[1]) == pytest.approx(2e-4, rel=1e-4) and coordinate.spreads[0] == 0


@given(st.floats(-3, 2), st.floats(0.1, 5), st.integers(0, 99))
def test_data_are_scaled_and_scaled_back(low, width, seed):
    coordinate = level((3,), (low, low + width), noise_levels=2)
    x = low + width * torch.rand(50, 3, generator=RNG().manual_seed(seed))
    point = coordinate.lift(Batch(x=x), Point(x=x), RNG().manual_seed(seed))
    clean = coordinate.is_data(point)
    assert (point.x[clean].abs() <= 1 + 1e-5).all()
    assert torch.allclose(coordinate.to_data(point)[clean], x[clean], atol=1e-5 * (abs(low) + width))


def test_without_a_range_nothing_is_scaled():
    coordinate, x = level(), torch.full((40, 2), 7.0)
    point = coordinate.clean(Point(x=x))
    assert torch.equal(coordinate.to_data(point), x) and coordinate.is_data(point).all()


def test_fresh_chains_are_noise_at_every_level_or_at_the_last():
    coordinate, x = level(noise_levels=3), torch.zeros(40_000, 2)
    fresh = coordinate.prior(40_000, Point(x=x), RNG().manual_seed(0))
    assert torch.bincount(fresh.aux["level"]).tolist() == [10_000] * 4
    assert abs(float(fresh.x.mean())) < 0.02 and float(fresh.x.std()) == pytest.approx(1, abs=0.02)
    start = coordinate.prior(40_000, Point(x=x), RNG().manual_seed(0), "generation")
    assert (start.aux["level"] == 3).all() and start.aux["level"].dtype == torch.int64
    few = [int(coordinate.prior(1, Point(x=x[:1]), RNG().manual_seed(s)).aux["level"]) for s in range(60)]
    assert set(few) == {0, 1, 2, 3}, "a single restarted chain may start anywhere"


def test_smooth_adds_its_noise_to_the_clean_datum():
    coordinate, x = level((1, 2, 2), (0.0, 1.0), noise_levels=2, smooth=0.3), torch.full((60_000, 1, 2, 2), 0.75)
    point = coordinate.lift(Batch(x=x), Point(x=x), RNG().manual_seed(0))
    for t in range(3):
        found, kept = point.x[point.aux["level"] == t], float(coordinate.signals[t])
        assert float(found.mean()) == pytest.approx(0.5 * kept**0.5, abs=0.01)
        assert float(found.var()) == pytest.approx(kept * 0.09 + 1 - kept, rel=0.02)
    assert coordinate.signals[0] == 1, "what a point holds of the smoothed datum is what it held of the datum"


def test_fresh_chains_can_start_in_the_law_of_a_gaussian_base():
    config = {"noise_levels": 3, "start_mean": -0.4, "start_sd": 0.2}
    coordinate, x = level(**config), torch.zeros(40_000, 2)
    fresh = coordinate.prior(40_000, Point(x=x), RNG().manual_seed(0))
    context = BuildContext(event_shape=(2,), coordinates=(coordinate,))
    settings = LevelHeadConfig(base="gaussian", base_mean=-0.4, base_sd=0.2)
    base = gaussians_of(settings, level_coordinate(context, "test"), context)
    for t in range(4):
        found = fresh.x[fresh.aux["level"] == t]
        assert float(found.mean()) == pytest.approx(float(base.means[t]), abs=0.02)
        assert float(found.var()) == pytest.approx(float(base.variances[t]), rel=0.03)
    start = coordinate.prior(40_000, Point(x=x), RNG().manual_seed(0), "generation")
    assert float(start.x.var()) == pytest.approx(float(base.variances[3]), rel=0.03)


@pytest.mark.parametrize(
    "config", [{"schedule": "even"}, {"pure_noise": True}, {"noise_levels": 1, "pure_noise": True}]
)
def test_a_last_level_of_pure_noise_holds_nothing_of_the_datum(config):
    coordinate, x = level(**config), torch.full((20_000, 2), 1e6)
    assert coordinate.n_values == config.get("noise_levels", 6) + 1
    point = coordinate.lift(Batch(x=x), Point(x=x), RNG().manual_seed(0))
    last = point.x[point.aux["level"] == coordinate.n_values - 1]
    assert abs(float(last.mean())) < 0.05 and float(last.std()) == pytest.approx(1, rel=0.05)
    assert float(coordinate.signals[-1]) == 0 and float(coordinate.sds[-1]) == 1


def test_the_published_levels_come_before_one_of_pure_noise():
    published, more = level(noise_levels=6), level(noise_levels=7, pure_noise=True)
    assert torch.equal(more.signals[:-1], published.signals)


def test_an_even_schedule_is_as_fine_as_the_smoothing():
    coordinate = level(schedule="even", smooth=0.15, noise_levels=24)
    ratio = coordinate.sds[1:] / coordinate.sds[:-1]
    assert torch.allclose(ratio, ratio[:1], rtol=1e-3)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"low": 0.0, "high": 1e-9, "noise_levels": 3}, "not monotone"),
        ({"low": 0.9, "high": 0.9, "noise_levels": 5}, "not monotone: level 3"),
        ({"schedule": "linear", "low": 1.0, "high": 1.0, "noise_levels": 2}, "not monotone"),
    ],
)
def test_schedules_that_are_not_monotone_are_refused(config, message):
    with pytest.raises(CapabilityError, match=message):
        level(**config)


def test_less_than_one_level_is_refused():
    with pytest.raises(RecipeError, match="noise_levels"):
        level(noise_levels=0)


def test_the_noise_of_x_is_that_of_the_level_and_of_smoothing_together():
    level = Level([0.0, 0.1, 0.5], smooth=0.3)
    x = torch.full((3000, 4), 2.0)
    rng = torch.Generator().manual_seed(0)
    lifted = level.lift(Batch(x=x), Point(x=x), rng)
    for value in range(3):
        rows = lifted.map(lambda values, value=value: values[lifted.aux["level"] == value])
        scale, sd = (found[0] for found in level.noise(rows))
        assert torch.allclose(rows.x.mean(), scale * 2, atol=0.05) and torch.allclose(rows.x.std(), sd, rtol=0.05)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"schedule": "log-snr-cosine", "high": 0.3}, "no low and high"),
        ({"schedule": "even", "pure_noise": True}, "leave pure_noise out"),
        ({"schedule": "even", "low": 1.0}, "finest structure"),
        ({"schedule": "even", "low": 1e-9}, "finest structure"),
        ({"schedule": "even", "high": 1e-9}, "s.d. of the data"),
        ({"schedule": "even", "high": 1e160}, "s.d. of the data"),
        ({"last_signal": 0.1}, 'a setting of schedule = "even"'),
    ],
)
def test_settings_that_a_schedule_does_not_have_are_refused(config, message):
    parts = {"data": {"use": "toy"}, "energy": {"use": "mlp"}, "coordinate": [{"use": "level", **config}]}
    with pytest.raises(CapabilityError, match=message):
        ebmkit.run({**parts, "objective": [{"use": "level-classification"}]}, out="unused")

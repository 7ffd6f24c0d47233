"""Laws of the metric long-run."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.assembly.build import build
from ebmkit.data.given import given_data
from ebmkit.errors import CapabilityError, DataError
from ebmkit.evaluation.subject import ModelSubject
from ebmkit.metrics.declarations.chains import LongRunConfig
from ebmkit.metrics.drift import Drift, _distances, energy_distance
from ebmkit.metrics.long_run import LongRun
from ebmkit.protocols.metric import Measured
from ebmkit.recipes.tables import EvalConfig
from tests.metrics.diffused import Noise, model_of

X = torch.randn(2_000, 2, generator=torch.Generator().manual_seed(0))


def gaussian(point: Any) -> Tensor:
    return point.x.flatten(1).square().sum(dim=1) / 2


def measured(model: Any, x: Tensor = X, **config: Any) -> Measured:
    subject = ModelSubject(model=model, config=EvalConfig(), dataset=given_data(x, device="cpu"))
    return Drift(LongRunConfig(**config)).measure(subject)


def run_of(*coordinates: Any, **context: Any) -> Any:
    return model_of(gaussian, *coordinates, sampler=build("sampler", "mala", moves=4, step_size=1.0), **context)


def test_chains_of_the_right_model_stay_with_the_data() -> None:
    found = measured(run_of(Noise()), n_chains=300)
    for key, one in found.estimates.items():
        if "−" in key:
            assert abs(one.value) < 4 * (one.error or 0), key
    end = found.estimates["energy distance from other data, end"]
    assert abs(end.value) < 4 * (end.error or 0) and "stay where the data are" in found.notes[0]
    assert "160 moves" in found.definition and found.pictures["start, middle, end"].width > 900


def test_chains_of_another_model_end_elsewhere_and_are_told() -> None:
    found = measured(run_of(), X + 3, n_chains=100)
    end, start = (found.estimates[f"energy distance from other data, {name}"] for name in ("end", "data"))
    assert end.value > 10 * (end.error or 0) and abs(start.value) < 4 * (start.error or 0)
    assert found.estimates["mean: end − data"].value == pytest.approx(-3, abs=0.3)
    assert "The chains drift" in found.notes[0] and "mean −" in found.notes[0].replace("-", "−")


class Smoothed(Noise):
    """Clean data have noise of s.d. .6."""

    smooth = 0.6


def test_a_model_of_data_with_noise_is_held_against_data_with_noise() -> None:
    """Clean data are N(0, .64 I), and N(0, I) with the noise: chains of N(0, I) stay."""
    found = measured(run_of(Smoothed()), 0.8 * X, n_chains=300)
    assert abs(found.estimates["square: end − data"].value) < 4 * (found.estimates["square: end − data"].error or 0)
    assert found.estimates["square: data"].value == pytest.approx(1, abs=0.2)
    assert "noise of s.d. 0.6" in found.notes[1]
    without = measured(run_of(), 0.8 * X, n_chains=300)
    assert without.estimates["square: data"].value == pytest.approx(0.64, abs=0.15)
    assert len(without.notes) == 1


def test_the_end_is_compared_on_features_of_images() -> None:
    """Chains of a Gaussian leave garments; on features as in x the drift is the end's distance less that of data."""
    garments = build("dataset", "fashion-mini").batch(torch.arange(40), torch.Generator()).x
    small = build("sampler", "mala", moves=4, step_size=0.2)
    model = model_of(gaussian, sampler=small, event_shape=(1, 28, 28), value_range=(0.0, 1.0))
    found = measured(model, garments, n_chains=16, transitions=8, records=4).estimates
    for space in ("", " on garments"):
        end, start = (found[f"energy distance from other data{space}, {name}"].value for name in ("end", "data"))
        assert found[f"drift{space}"].value == pytest.approx(end - start)
        assert found[f"drift{space}"].value > 4 * (found[f"drift{space}"].error or 0)
    assert "energy distance on garments +" in measured(model, garments, n_chains=16, transitions=8, records=4).notes[0]
    with pytest.raises(CapabilityError, match="resnet20"):
        measured(model, garments, n_chains=16, features="resnet20")


def test_images_are_shown_in_rows_of_start_middle_and_end() -> None:
    images = torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    model = run_of(event_shape=(1, 6, 6), value_range=(0.0, 1.0))
    picture = measured(model, images, n_chains=12, transitions=4, records=4).pictures["start, middle, end"]
    assert (picture.width, picture.height) == (2 * (10 * 8 + 2), 2 * (3 * 8 + 2))


@pytest.mark.parametrize("d", [1, 30])
def test_the_energy_distance_of_shifted_gaussians_is_that_of_a_large_sample(d: int) -> None:
    """In one dimension of N(0, 1) and N(2, 1) it is known: E|X − Y| is of N(2, 2), E|X − X'| is 2/√π."""
    rng = torch.Generator().manual_seed(0)
    x, y = torch.randn(800, d, generator=rng), 2 + torch.randn(800, d, generator=rng)
    value, error = energy_distance(x, y)
    if d == 1:
        across = math.sqrt(2) * math.sqrt(2 / math.pi) * math.exp(-1) + 2 * math.erf(1)
        assert abs(value - (2 * across - 2 * 2 / math.sqrt(math.pi))) < 4 * error < 0.5
    same, its_error = energy_distance(x, torch.randn(800, d, generator=rng))
    assert abs(same) < 4 * its_error and value > 20 * its_error


def test_the_jackknife_error_is_the_spread_over_samples() -> None:
    rng = torch.Generator().manual_seed(0)
    found = [
        energy_distance(torch.randn(60, 2, generator=rng), 1 + torch.randn(60, 2, generator=rng)) for _ in range(60)
    ]
    values, errors = torch.tensor(found).T
    assert 0.7 < float(errors.mean() / values.std()) < 1.4


def test_the_error_of_a_drift_knows_that_chains_remember_their_start() -> None:
    """Start and end of correlation .9: their distances from the same data vary together, and the drift by little."""
    rng = torch.Generator().manual_seed(0)
    found, apart = [], []
    for _ in range(80):
        start = torch.randn(40, 8, generator=rng)
        end = 0.9 * start + (1 - 0.81) ** 0.5 * torch.randn(40, 8, generator=rng)
        run = LongRun(
            moves=torch.arange(2), values={}, drift={}, from_data={}, accept_rate=None, frames=(start, end, end)
        )
        told = _distances(run, torch.randn(40, 8, generator=rng), {"": lambda x: x})
        found.append((told["drift"].value, told["drift"].error))
        apart.append(told["energy distance from other data, end"].error)
    values, errors = torch.tensor(found).T
    assert 0.7 < float(errors.mean() / values.std()) < 1.7
    assert float(errors.mean()) < 0.6 * sum(apart) / len(apart)


def test_images_without_a_range_are_compared_as_they_are() -> None:
    model = model_of(gaussian, sampler=build("sampler", "mala", moves=4, step_size=0.2), event_shape=(1, 28, 28))
    images = torch.randn(40, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert not [key for key in measured(model, images, n_chains=16).estimates if "garments" in key]


def biased_energy_distance(x: Tensor, y: Tensor) -> float:
    """A wrong double: the zero distances of points from themselves are counted."""
    pairs = [torch.cdist(a, b).mean() for a, b in ((x, y), (x, x), (y, y))]
    return float(2 * pairs[0] - pairs[1] - pairs[2]) / x.shape[1] ** 0.5


def test_a_double_with_a_bias_is_away_from_zero_where_the_laws_agree() -> None:
    rng = torch.Generator().manual_seed(0)
    pairs = [(torch.randn(20, 2, generator=rng), torch.randn(20, 2, generator=rng)) for _ in range(200)]
    right = torch.tensor([energy_distance(*pair)[0] for pair in pairs])
    wrong = torch.tensor([biased_energy_distance(*pair) for pair in pairs])
    assert abs(float(right.mean())) < 4 * float(right.std()) / 200**0.5
    assert float(wrong.mean()) > 10 * float(wrong.std()) / 200**0.5


def test_too_few_data_are_refused() -> None:
    with pytest.raises(DataError, match="6 data"):
        measured(run_of(), X[:5])
    with pytest.raises(DataError, match="three rows"):
        energy_distance(X[:2], X)

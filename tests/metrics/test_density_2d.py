"""Laws of the metric density-2d: closed forms of Gaussians."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import ebmkit
from ebmkit.coordinates.label import Label
from ebmkit.data.given import given_data
from ebmkit.errors import CapabilityError, DataError, DivergenceError
from ebmkit.evaluation.subject import ModelSubject
from ebmkit.metrics.declarations.likelihood import PlaneConfig
from ebmkit.metrics.density_2d import Density2d
from ebmkit.point import Point
from ebmkit.protocols.metric import Measured
from ebmkit.recipes.tables import EvalConfig
from tests.metrics.diffused import Noise, model_of

X = torch.randn(3_000, 2, generator=torch.Generator().manual_seed(0))
CONFIG = PlaneConfig(n_cells=120)


def gaussian(point: Point, sd: float = 1.0) -> Tensor:
    return point.x.square().sum(dim=1) / (2 * sd**2) + 7


class Normal:
    """Standard normal data whose density is known."""

    def __init__(self) -> None:
        self.inner = given_data(X, device="cpu")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __len__(self) -> int:
        return len(self.inner)

    def split(self, name: str) -> Any:
        return self

    def log_density(self, x: Tensor) -> Tensor:
        return -x.square().sum(dim=1) / 2 - math.log(2 * math.pi)


def measured(model: Any, data: Any = None) -> Measured:
    dataset = given_data(X, device="cpu") if data is None else data
    subject = ModelSubject(model=model, config=EvalConfig(n=10, n_data=2_000), dataset=dataset)
    return Density2d(CONFIG).measure(subject)


@pytest.mark.parametrize(("sd", "temperature"), [(1.25, 1.0), (1.0, 1.5625)])
def test_divergences_of_gaussians_have_their_closed_forms(sd: float, temperature: float) -> None:
    found = measured(model_of(lambda p: gaussian(p, sd), temperature=temperature), Normal()).estimates
    ratio = 1 / 1.25**2
    for name, exact in {
        "KL(data ‖ model)": ratio - 1 - math.log(ratio),
        "KL(model ‖ data)": 1 / ratio - 1 + math.log(ratio),
        "entropy of the data": 1 + math.log(2 * math.pi),
    }.items():
        assert abs(found[name].value - exact) < (found[name].error or 0) + 1e-4 < 0.02, name
    # the densities cross on a circle: TV = P(|x| < r) of the data less that of the model
    r2 = 2 * math.log(1 / ratio) / (1 - ratio)
    assert found["total variation"].value == pytest.approx(
        (1 - math.exp(-r2 / 2)) - (1 - math.exp(-r2 * ratio / 2)), abs=2e-3
    )
    cross = found["cross entropy of held-out data"]
    assert abs(cross.value - (1 + math.log(2 * math.pi) + ratio - 1 - math.log(ratio))) < 4 * (cross.error or 0) < 0.2


def test_a_wrong_temperature_or_normaliser_misses_the_closed_form() -> None:
    """Wrong doubles of the model: the metric tells them from the right one by more than its error."""
    right = measured(model_of(gaussian), Normal()).estimates["KL(data ‖ model)"]
    warm = measured(model_of(gaussian, temperature=1.2), Normal()).estimates["KL(data ‖ model)"]
    assert abs(right.value) < (right.error or 0) + 1e-4 and warm.value > 0.01 + (warm.error or 0)


def test_where_the_density_of_data_is_unknown_the_cross_entropy_is_given_and_why_nothing_else() -> None:
    found = measured(model_of(gaussian))
    assert found.estimates.keys() == {"cross entropy of held-out data"} and "not known" in found.notes[0]
    assert found.pictures["densities"].width > 500


def test_toy_data_have_a_divergence_and_a_picture_beside_the_model() -> None:
    data = ebmkit.build("dataset", "toy", density="eight-gaussians")
    found = measured(model_of(lambda p: -data.log_density(p.x)), data)
    assert abs(found.estimates["KL(data ‖ model)"].value) < 1e-3
    assert abs(found.estimates["total variation"].value) < 1e-3 and found.pictures["densities"].width > 500
    assert (
        found.estimates["cross entropy of held-out data"].value - found.estimates["entropy of the data"].value + 0.2 > 0
    )


def test_data_in_a_range_are_scaled_for_an_energy_with_levels() -> None:
    """N(0, .5²) in [−1, 1] is N(10, 5²) in the data's [0, 20]: its cross entropy is that of the wide one."""
    model = model_of(lambda p: gaussian(p, 0.5), Noise((0.0, 20.0)), value_range=(0.0, 20.0))
    found = measured(model, given_data(10 + 5 * X, device="cpu")).estimates["cross entropy of held-out data"]
    assert abs(found.value - (1 + math.log(2 * math.pi * 25))) < 4 * (found.error or 0)


def test_under_labels_the_density_is_the_mean_of_theirs() -> None:
    model = model_of(lambda p: gaussian(p) + 5 * p.aux["label"], Label(2))
    found = measured(model, Normal()).estimates
    assert abs(found["KL(data ‖ model)"].value) < 0.01
    assert abs(found["cross entropy of held-out data"].value - (1 + math.log(2 * math.pi))) < 0.1


def test_what_has_no_density_is_refused() -> None:
    with pytest.raises(DataError, match="mass nearby lies outside"):
        measured(model_of(lambda p: 0 * p.x[:, 0]))
    with pytest.raises(DivergenceError, match="not finite"):
        measured(model_of(lambda p: p.x[:, 0] * math.nan))
    with pytest.raises(CapabilityError, match="needs 'other'"):
        measured(model_of(lambda p: p.aux["other"]))

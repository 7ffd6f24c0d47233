"""Laws of the metric ais on models whose log Z is known."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.coordinates.label import Label
from ebmkit.data.given import given_data
from ebmkit.errors import CapabilityError, DivergenceError
from ebmkit.evaluation.subject import ModelSubject
from ebmkit.metrics.ais import Ais
from ebmkit.metrics.declarations.likelihood import AisConfig
from ebmkit.point import Point
from ebmkit.recipes.tables import EvalConfig
from tests.metrics.diffused import Noise, model_of

SMALL: dict[str, Any] = {"n_chains": 64, "n_temperatures": 12, "starts": "data"}
N = torch.randn(2_000, 2, generator=torch.Generator().manual_seed(0))


def subject_of(model: Any, x: Tensor) -> ModelSubject:
    return ModelSubject(model=model, config=EvalConfig(n=50, n_data=1_000), dataset=given_data(x, device="cpu"))


def gaussian(point: Point) -> Tensor:
    return (point.x - 1).flatten(1).square().sum(dim=1) / (2 * 0.25) + 3


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_log_z_and_likelihood_of_a_gaussian(temperature: float) -> None:
    """E/T of N(1, T/4): log Z = log 2π T/4 − 3/T; −log p of its own data is its entropy."""
    sd = math.sqrt(temperature * 0.25)
    found = Ais(AisConfig(**SMALL)).measure(subject_of(model_of(gaussian, temperature=temperature), 1 + sd * N))
    log_z, nll = found.estimates["log Z"], found.estimates["−log p of held-out data"]
    assert abs(log_z.value - (math.log(2 * math.pi * sd**2) - 3 / temperature)) < (log_z.error or 0) < 0.5
    assert abs(nll.value - (1 + math.log(2 * math.pi * sd**2))) < (nll.error or 0) < 0.6
    assert "no standard error" in found.definition and any("held-out data" in note for note in found.notes)


def test_bits_a_dimension_of_images_are_of_their_256_levels() -> None:
    """Uniform images in [0, 1] and a flat energy: 8 bits a pixel, exactly."""
    x = torch.rand(500, 1, 2, 2)
    model = model_of(lambda p: 0 * p.x.flatten(1).sum(dim=1) + 5, event_shape=(1, 2, 2), value_range=(0.0, 1.0))
    found = Ais(AisConfig(**SMALL)).measure(subject_of(model, x))
    bits = found.estimates["−log p of held-out data, a dimension"]
    assert bits.value == pytest.approx(8.0, abs=1e-5) and bits.unit == "bits/dim"
    assert "uniform law on [0, 1]" in found.definition


def test_where_a_level_scales_x_the_density_is_that_of_the_data() -> None:
    """A Gaussian of s.d. .5 in [−1, 1] is one of s.d. 5 in the data's [0, 20]."""
    model = model_of(lambda p: p.x.square().sum(dim=1) / (2 * 0.25), Noise((0.0, 20.0)), value_range=(0.0, 20.0))
    found = Ais(AisConfig(**SMALL)).measure(subject_of(model, 10 + 5 * N))
    nll = found.estimates["−log p of held-out data"]
    assert abs(nll.value - (1 + math.log(2 * math.pi * 25))) < (nll.error or 0) < 0.6


def refusing(point: Point) -> Tensor:
    """As a network with labels does."""
    if "label" not in point.aux:
        raise CapabilityError("The energy sees labels, but the point has no 'label': add --coordinate label.")
    return point.x.sum(dim=1)


def test_what_has_no_log_z_is_refused() -> None:
    with pytest.raises(CapabilityError, match="needs 'label', which a datum does not have by itself"):
        Ais(AisConfig(**SMALL)).measure(subject_of(model_of(refusing, Label(3)), N))
    with pytest.raises(CapabilityError, match="needs 'label'"):
        model = model_of(lambda p: p.x.sum(dim=1) * p.aux["label"], Label(3))
        Ais(AisConfig(**SMALL)).measure(subject_of(model, N))
    with pytest.raises(CapabilityError, match="no law is uniform"):
        Ais(AisConfig(**SMALL, base="uniform")).measure(subject_of(model_of(gaussian), N))
    with pytest.raises(CapabilityError, match="Gaussian base has mass outside"):
        model = model_of(gaussian, value_range=(-9.0, 9.0))
        Ais(AisConfig(**SMALL, base="gaussian")).measure(subject_of(model, N))
    with pytest.raises(DivergenceError, match="not finite"):
        Ais(AisConfig(**SMALL)).measure(subject_of(model_of(lambda p: p.x[:, 0] * math.nan), N))

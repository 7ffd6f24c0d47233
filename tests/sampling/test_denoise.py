"""Tweedie's formula gives the posterior mean of clean x, which is known for Gaussian data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, RecipeError, RunError
from ebmkit.point import Point
from ebmkit.recipes.recipe import Recipe
from ebmkit.sampling.denoise import tweedie
from ebmkit.sampling.generate import generate
from ebmkit.sampling.model import Model
from tests.sampling.test_generate import Noise, Scripted, mala

MEAN, SD, TEMPERATURE = 1.5, 0.8, 2.0
KEPT = torch.tensor([1.0, 0.9, 0.4, 0.1])
"""a of each level; the s.d. of noise is √(1 − a²), and `SMOOTH` more of the clean x."""
SMOOTH = 0.3
SDS = (1 - KEPT**2 + (KEPT * SMOOTH) ** 2).sqrt()


class Noisy(Noise):
    """Levels of noise whose size is known; chains hold x in twice the units of data."""

    def noise(self, point: Point) -> tuple[Tensor, Tensor]:
        return KEPT[point.aux["noise"]], SDS[point.aux["noise"]]

    def clean(self, point: Point) -> Point:
        return point.with_aux(noise=torch.zeros(len(point), dtype=torch.int64))


class Diffused:
    """E/T = −log N(x; a·m, a²s² + σ²) of data N(m, s²) at each level, in the units of chains."""

    def __call__(self, point: Point) -> Tensor:
        a, sd = KEPT[point.aux["noise"]][:, None], SDS[point.aux["noise"]][:, None]
        return TEMPERATURE * ((point.x - a * MEAN) ** 2 / (2 * (a**2 * SD**2 + sd**2))).sum(dim=1)


class Wide:
    """E/T of N(m, s² + .5²)."""

    def __call__(self, point: Point) -> Tensor:
        return TEMPERATURE * ((point.x - MEAN) ** 2 / (2 * (SD**2 + 0.5**2))).sum(dim=1)


def run_of(energy: Any, *coordinates: Any) -> Model:
    data = DataSpec(event_shape=(2,), value_range=None, n_classes=0, class_names=(), n_data=1)
    return Model(
        recipe=Recipe(tables={"run": {"precision": "fp32", "temperature": TEMPERATURE}}), energy=energy,
        sampler=mala(0.5), objectives={}, coordinates=coordinates, data=data, step=1, device=torch.device("cpu"),
    )  # fmt: skip


def posterior_mean(x: Tensor, a: float, sd: float) -> Tensor:
    return MEAN + a * SD**2 / (a**2 * SD**2 + sd**2) * (x - a * MEAN)


@pytest.mark.parametrize("level", range(4))
def test_the_step_ends_at_the_posterior_mean_of_clean_data(level: int) -> None:
    how: Any = {"given": {"noise": str(level)}, "transitions": 3, "seed": 1}
    run = run_of(Diffused(), Noisy())
    noisy, clean = generate(run, 20, **how), generate(run, 20, denoise=True, **how)
    a, sd = float(KEPT[level]), float(SDS[level])
    torch.testing.assert_close(2 * clean.x, posterior_mean(2 * noisy.x, a, sd), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(2 * clean.x, posterior_mean(2 * noisy.x, a, 0.9 * sd), atol=1e-2)
    assert clean.aux["noise"].tolist() == [0] * 20 and clean.n_gradients == noisy.n_gradients + 1
    assert clean.denoised == pytest.approx(sd / a / 2, rel=1e-5) and noisy.denoised is None
    assert "then denoised once (noise of s.d. " in str(clean)


def test_a_noise_that_the_data_were_given_is_taken_away() -> None:
    noisy, clean = (generate(run_of(Wide()), 20, transitions=3, denoise=sd) for sd in (False, 0.5))
    torch.testing.assert_close(clean.x, posterior_mean(noisy.x, 1.0, 0.5), rtol=1e-4, atol=1e-4)
    assert clean.denoised == 0.5


def test_tweedie_broadcasts_over_events() -> None:
    x = torch.randn(3, 1, 2, 2)
    assert tweedie(x, torch.zeros_like(x), torch.full((3,), 0.5), torch.ones(3)).equal(2 * x)


def test_what_no_noise_is_known_of_is_refused() -> None:
    with pytest.raises(CapabilityError, match="no noise level"):
        generate(run_of(Wide()), 2, transitions=1, denoise=True)
    with pytest.raises(RecipeError, match="a positive s"):
        generate(run_of(Wide()), 2, transitions=1, denoise=-1.0)
    with pytest.raises(RecipeError, match="the noise says how noisy x is: write denoise=True"):
        generate(run_of(Diffused(), Noisy()), 2, transitions=1, denoise=0.2, given={"noise": "1"})

    class Clean(Noisy):
        def noise(self, point: Point) -> tuple[Tensor, Tensor]:
            return torch.ones(len(point)), torch.zeros(len(point))

    with pytest.raises(CapabilityError, match="x at data holds no noise"):
        generate(run_of(Diffused(), Clean()), 2, transitions=1, denoise=True, given={"noise": "0"})


def test_chains_that_never_came_to_data_are_told_as_such() -> None:
    run = replace(run_of(Diffused(), Noisy()), sampler=Scripted())
    with pytest.raises(RunError, match="None of 3 chains came to data 9 times"):
        generate(run, 3, visits=9, transitions=2, denoise=True)
    made = generate(run, 8, visits=1, transitions=2, denoise=True)
    assert len(made.x) == 4 and made.denoised is not None

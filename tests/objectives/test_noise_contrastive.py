"""Noise-contrastive estimation finds the precision and the normaliser of a Gaussian; doubles find others."""

from __future__ import annotations

from math import log, pi
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.objectives import noise as module
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, Point
from ebmkit.protocols.objective import Phases
from ebmkit.rng import stream

N = 8_000
SD = 1.5


def data(n: int = N) -> Tensor:
    return SD * torch.randn(n, 2, generator=stream(0, 0, "data"))


class Quadratic(nn.Module):
    """E = k‖x‖²/2."""

    def __init__(self, k: float) -> None:
        super().__init__()
        self.k = nn.Parameter(torch.tensor(k))

    def forward(self, point: Point) -> Tensor:
        return self.k * point.x.square().sum(dim=1) / 2


def context_of(**more: Any) -> BuildContext:
    return BuildContext(sample=lambda n: data(n), n_data=N, **more)


def gradients(name: str, k: float, log_z: float = 0.0, temperature: float = 1.0, **settings: Any) -> list[float]:
    """Returns the mean gradient over ten streams in k, and in log Z where the objective has one."""
    objective = build("objective", name, context=context_of(temperature=temperature), **settings)
    energy = Quadratic(k)
    x = data()
    if hasattr(objective, "log_z"):
        with torch.no_grad():
            objective.log_z.fill_(log_z)
    for step in range(10):
        phases = Phases(
            energy=energy, batch=Batch(x=x), positive=Point(x=x), rng=lambda part, s=step: stream(1, s, part)
        )
        sum(objective.losses(energy, phases).values()).backward()  # type: ignore[union-attr]
    found = [energy.k, *([objective.log_z] if hasattr(objective, "log_z") else [])]
    return [float(parameter.grad) / 10 for parameter in found if parameter.grad is not None]


@pytest.mark.parametrize("settings", [{}, {"ratio": 4}, {"noise": "kde", "centres": 500}, {"widen": 2.0}], ids=str)
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_nothing_pulls_at_the_law_of_the_data(settings: dict[str, Any], temperature: float) -> None:
    best, log_z = temperature / SD**2, log(2 * pi * SD**2)
    at_best = gradients("noise-contrastive", best, log_z, temperature, **settings)
    assert max(abs(found) for found in at_best) < 0.02
    narrow, low = gradients("noise-contrastive", 1.3 * best, log_z - 0.5, temperature, **settings)
    assert narrow > 0.02 and low < -0.02


def test_a_wrong_density_of_the_noise_pulls_away(monkeypatch: pytest.MonkeyPatch) -> None:
    right = module.GaussianNoise.log_prob
    monkeypatch.setattr(module.GaussianNoise, "log_prob", lambda self, x: right(self, x) + 0.5)
    assert abs(gradients("noise-contrastive", 1 / SD**2, log(2 * pi * SD**2))[1]) > 0.1


@pytest.mark.parametrize("ratio", [1, 3])
def test_conditional_noise_needs_no_normaliser(ratio: int) -> None:
    best = 1 / SD**2
    name = "conditional-noise-contrastive"
    assert abs(gradients(name, best, sigma=1.0, ratio=ratio)[0]) < 0.01
    assert gradients(name, 0.6 * best, sigma=1.0, ratio=ratio)[0] < -0.02
    assert gradients(name, 1.5 * best, sigma=1.0, ratio=ratio)[0] > 0.02


def test_the_noise_is_kept_with_the_checkpoint_and_needs_no_data_again() -> None:
    for noise in ("gaussian", "kde"):
        made = build("objective", "noise-contrastive", context=context_of(), noise=noise, centres=50)
        loaded = build("objective", "noise-contrastive", context=BuildContext(n_data=N), noise=noise, centres=50)
        loaded.load_state_dict(made.state_dict())
        x = data(7)
        torch.testing.assert_close(loaded.noise.log_prob(x), made.noise.log_prob(x))


def test_the_densities_are_normalised() -> None:
    grid = torch.linspace(-15, 15, 301)
    x = torch.stack(torch.meshgrid(grid, grid, indexing="ij"), dim=-1).view(-1, 2)
    for noise in ("gaussian", "kde"):
        law = build("objective", "noise-contrastive", context=context_of(), noise=noise, centres=50).noise
        assert float(law.log_prob(x).exp().sum() * 0.01) == pytest.approx(1.0, abs=1e-3)


def test_bad_requests_are_refused() -> None:
    with pytest.raises(RecipeError, match="ratio"):
        build("objective", "noise-contrastive", ratio=0)
    with pytest.raises(RecipeError, match="sigma"):
        build("objective", "conditional-noise-contrastive", sigma=-1.0)
    with pytest.raises(CapabilityError, match="binary"):
        build("objective", "noise-contrastive", context=BuildContext(x_values="binary"))

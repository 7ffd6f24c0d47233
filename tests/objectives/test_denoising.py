"""Denoising score matching has its minimum where a Gaussian with noise has its score; doubles have it elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError
from ebmkit.objectives.declarations.score_matching import DenoisingScoreMatchingConfig
from ebmkit.objectives.denoising import denoising_errors, gaussian_weights
from ebmkit.plugins.component import Selection
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, Point
from ebmkit.protocols.objective import Phases
from ebmkit.rng import stream

N = 40_000
SIGMA = 0.7


def quadratic(k: Tensor) -> Callable[[Point], Tensor]:
    return lambda point: k * point.x.square().sum(dim=1) / 2


def slope(k: float, temperature: float = 1.0, errors: Any = None) -> tuple[float, float]:
    """Returns the derivative of the loss in k of E = k‖x‖²/2, for standard normal data in the plane, and the loss."""
    x = torch.randn(N, 2, generator=stream(0, 0, "x"), dtype=torch.float64)
    parameter = torch.tensor(k, dtype=torch.float64, requires_grad=True)
    context = BuildContext(temperature=temperature)
    objective = build("objective", "denoising-score-matching", context=context, sigma=SIGMA)
    phases = Phases(energy=quadratic(parameter), batch=Batch(x=x), positive=Point(x=x), rng=lambda p: stream(0, 1, p))
    loss = objective.losses(quadratic(parameter), phases)["denoising"]
    loss.backward()
    assert parameter.grad is not None
    return float(parameter.grad), float(loss.detach())


def closed(k: float) -> float:
    """½E‖σS + ε‖² with S = −k(x + σε): each of two entries has (σk)²(1 + σ²) − 2σ²k + 1."""
    return (SIGMA * k) ** 2 * (1 + SIGMA**2) - 2 * SIGMA**2 * k + 1


@pytest.mark.parametrize("k", [0.2, 1 / (1 + SIGMA**2), 2.0])
def test_the_loss_of_a_gaussian_is_its_closed_form(k: float) -> None:
    assert slope(k)[1] == pytest.approx(closed(k), abs=0.02)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_minimum_is_the_precision_of_data_with_noise(temperature: float) -> None:
    best = temperature / (1 + SIGMA**2)
    assert abs(slope(best, temperature)[0]) < 0.02 / temperature
    assert slope(0.7 * best, temperature)[0] < -0.05 / temperature
    assert slope(1.3 * best, temperature)[0] > 0.05 / temperature


def test_with_the_wrong_sign_no_gaussian_is_the_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    best = 1 / (1 + SIGMA**2)
    monkeypatch.setattr(
        "ebmkit.objectives.denoising.denoising_errors", lambda s, e, sigma: denoising_errors(-s, e, sigma)
    )
    assert abs(slope(best)[0]) > 0.5


def test_a_score_without_its_graph_teaches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ebmkit.objectives.denoising.denoising_errors", lambda s, e, sigma: denoising_errors(s.detach(), e, sigma)
    )
    with pytest.raises(RuntimeError, match="does not require grad"):
        slope(1.0)


# --- levels


class Noise:
    """A coordinate of three levels: x_t = a x + s ε, the first of them clean."""

    name, noises_x, n_values, leaves_data = "level", True, 3, True
    kept, sd = torch.tensor([1.0, 0.8, 0.3]).double(), torch.tensor([0.0, 0.5, 1.2]).double()

    def noise(self, point: Point) -> tuple[Tensor, Tensor]:
        level = point.aux["level"]
        return self.kept[level], self.sd[level]


def levelled(k: Tensor, objective: Any, energy: Callable[[Point], Tensor]) -> Tensor:
    draw = stream(0, 0, "levels")
    x = torch.randn(N, 2, generator=draw, dtype=torch.float64)
    level = torch.arange(N) % 3
    noise = torch.randn(N, 2, generator=draw, dtype=torch.float64)
    noisy = Noise.kept[level][:, None] * x + Noise.sd[level][:, None] * noise
    phases = Phases(
        energy=energy, batch=Batch(x=x), positive=Point(x=noisy, aux={"level": level}), abilities=frozenset({"score"})
    )
    loss: Tensor = objective.losses(energy, phases)["denoising"]
    return loss


@pytest.mark.parametrize("weighted", [False, True])
def test_each_level_has_its_own_minimum(weighted: bool) -> None:
    context = BuildContext(coordinates=(Noise(),))  # type: ignore[arg-type]
    settings = {"data_sd": 1.0} if weighted else {}
    objective = build("objective", "denoising-score-matching", context=context, **settings)
    exact = 1 / (Noise.kept**2 + Noise.sd**2)
    k = exact.clone().requires_grad_()
    levelled(k, objective, lambda p: k[p.aux["level"]] * p.x.square().sum(dim=1) / 2).backward()
    assert k.grad is not None and float(k.grad[0]) == 0.0, "a level without noise teaches nothing"
    assert k.grad.abs().max() < 0.02
    far = (0.7 * exact).requires_grad_()
    levelled(far, objective, lambda p: far[p.aux["level"]] * p.x.square().sum(dim=1) / 2).backward()
    assert far.grad is not None and (far.grad[1:] < -0.02).all()


def test_the_weight_is_one_over_the_error_of_a_gaussian() -> None:
    kept, sd, s = torch.tensor([0.9, 0.2]), torch.tensor([0.3, 1.0]), 2.0
    x = s * torch.randn(400_000, 2, generator=stream(0, 0, "w"))
    noise = torch.randn(400_000, 2, generator=stream(0, 1, "w"))
    noisy = kept * x + sd * noise
    best = -noisy / (kept**2 * s**2 + sd**2)
    left = (sd * best + noise).square().mean(dim=0)
    torch.testing.assert_close(1 / gaussian_weights(kept, sd, s, 1e9), left, rtol=0.02, atol=0)
    assert float(gaussian_weights(kept, 100 * sd, s, 12.0).max()) == 12.0


def test_noise_is_decided_by_the_run() -> None:
    config = DenoisingScoreMatchingConfig()
    assert config.settled(Selection()).sigma == 0.1
    assert config.settled(Selection(coordinates=("level",), noised=("level",))).sigma is None


def test_a_coordinate_that_does_not_say_its_noise_is_refused() -> None:
    class Silent:
        name, noises_x, n_values, leaves_data = "fog", True, 3, True

    with pytest.raises(CapabilityError, match="'fog' does not say by how much"):
        build("objective", "denoising-score-matching", context=BuildContext(coordinates=(Silent(),)))  # type: ignore[arg-type]


def test_discrete_x_is_refused() -> None:
    with pytest.raises(CapabilityError, match="binary"):
        build("objective", "denoising-score-matching", context=BuildContext(x_values="binary"))

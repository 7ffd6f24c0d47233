"""Laws of the metric known-density: closed forms, each with a wrong double that misses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.data.given import given_data
from ebmkit.data.mixture import GaussianMixture, build_mixture, mixture
from ebmkit.data.mixture_config import GaussianMixtureConfig
from ebmkit.errors import DataError
from ebmkit.evaluation.subject import ModelSubject
from ebmkit.metrics import known_density
from ebmkit.metrics.declarations.known_density import KnownDensityConfig
from ebmkit.metrics.known_density import KnownDensity, Rows, between_modes
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.metric import Estimate
from ebmkit.recipes.tables import EvalConfig
from tests.metrics.diffused import model_of

CONFIG = GaussianMixtureConfig(dimensions=16, modes=4)
LAW = mixture(CONFIG)
MASSES = torch.tensor([0.55, 0.25, 0.15, 0.05], dtype=torch.float64)


def measured(log_model: Callable[[Tensor], Tensor], temperature: float = 1.0, n: int = 4_000) -> dict[str, Estimate]:
    """Returns what the metric finds of a model whose −E/T is given up to a constant."""

    def energy(point: Point) -> Tensor:
        return (temperature * (37.0 - log_model(point.x))).float()

    subject = ModelSubject(
        model=model_of(energy, event_shape=(16,), temperature=temperature),
        config=EvalConfig(n=10, n_data=100),
        dataset=build_mixture(CONFIG, BuildContext()),
    )
    return dict(KnownDensity(KnownDensityConfig(n=n)).measure(subject).estimates)


def unequal(x: Tensor) -> Tensor:
    return GaussianMixture(log_weights=MASSES.log(), means=LAW.means, sd=LAW.sd).log_density(x)


def near(found: Estimate, exact: float, least: float = 1e-3) -> bool:
    assert found.error is not None
    return abs(found.value - exact) < 4 * found.error + least


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_the_density_itself_has_no_error(temperature: float) -> None:
    found = measured(LAW.log_density, temperature)
    for name, estimate in found.items():
        exact = 1.0 if name == "ESS share" else 0.0
        assert estimate.value == pytest.approx(exact, abs=2e-3), name
        assert estimate.error is not None and estimate.error < 2e-3


def closed_forms() -> dict[str, float]:
    """Of the model with other mode weights, beside four that are equally likely and far from each other."""
    logs = (4 * MASSES).log()
    return {
        "energy error at data": float(logs.std(correction=0)),
        "energy error within modes": 0.0,
        "energy error of modes": float(logs.std(correction=0)),
        "ESS share": float(1 / (4 * MASSES.square()).sum()),
        "mode weights: total variation": float((MASSES - 0.25).abs().sum() / 2),
    }


def misses() -> list[str]:
    found = measured(unequal)
    return [name for name, exact in closed_forms().items() if not near(found[name], exact)]


def test_other_mode_weights_have_their_closed_forms() -> None:
    assert misses() == []


def inverted(log_ratio: Tensor) -> float:
    return known_density_right["effective_share"](-log_ratio)


def one_sided(rows: Rows, n_modes: int) -> float:
    return float((known_density.mode_masses(rows, n_modes) - 1 / n_modes).abs().sum())


def without_constant(log_ratio: Tensor) -> float:
    return float(log_ratio.double().square().mean().sqrt())


def unweighted(rows: Rows, n_modes: int) -> float:
    return float(known_density.mode_errors(rows, n_modes)[0].square().mean().sqrt())


def over_all(rows: Rows, n_modes: int) -> float:
    return float(rows.log_ratio.double().std(correction=0))


known_density_right: dict[str, Any] = {"effective_share": known_density.effective_share}
WRONG: dict[str, tuple[Callable[..., float], str]] = {
    "effective_share": (inverted, "ESS share"),
    "total_variation": (one_sided, "mode weights: total variation"),
    "error_at_data": (without_constant, "energy error at data"),
    "error_of_modes": (unweighted, "energy error of modes"),
    "error_within_modes": (over_all, "energy error within modes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_double_misses_the_closed_form(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sign of the weights, half of the variation, the constant, the constants of modes: each is needed."""
    double, missed = WRONG[name]
    monkeypatch.setattr(known_density, name, double)
    assert misses() == [missed]


def test_a_narrower_gaussian_has_its_ess() -> None:
    """Model ∝ p², p = N(0, I₂): ESS = (E p)²/E p² = ¾; the error is that of |x|²/2, an exponential of s.d. 1."""
    x = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0))
    log_ratio = -x.square().sum(dim=1).double() / 2
    assert known_density.effective_share(log_ratio) == pytest.approx(0.75, abs=0.01)
    assert known_density.error_at_data(log_ratio) == pytest.approx(1.0, abs=0.02)


def test_energies_between_modes_are_judged_with_the_constant_of_the_data() -> None:
    def too_low(x: Tensor) -> Tensor:  # right at data, 5 nats too likely away from them
        away = (LAW.log_joint(x).amax(dim=1) < -30).to(x.dtype)
        return LAW.log_density(x) + 5 * away

    found = measured(too_low)
    assert near(found["energy error between modes"], 5.0, 0.01) and near(found["energy error at data"], 0.0)


def test_points_between_modes_lie_on_the_way() -> None:
    mode = torch.arange(200) % 2
    x = torch.stack([mode.double(), torch.zeros(200)], dim=1)
    points = between_modes(x, mode, torch.Generator().manual_seed(0))
    assert 50 < len(points) < 150 and points[:, 0].min() >= 0.25 and points[:, 0].max() <= 0.75


def test_the_error_bars_are_those_of_the_draws() -> None:
    few, many = measured(unequal, n=500), measured(unequal, n=8_000)
    for name in ("ESS share", "energy error of modes"):
        ratio = (few[name].error or 0) / (many[name].error or 1)
        assert 2.5 < ratio < 6.5, name  # √16 = 4


def test_data_without_a_density_are_refused() -> None:
    model = model_of(lambda point: point.x.sum(dim=1), event_shape=(16,))
    data = given_data(torch.randn(50, 16, generator=torch.Generator().manual_seed(0)), device="cpu")
    subject = ModelSubject(model=model, config=EvalConfig(n=10, n_data=10), dataset=data)
    with pytest.raises(DataError, match=r"is not known.*log_density"):
        KnownDensity(KnownDensityConfig()).measure(subject)

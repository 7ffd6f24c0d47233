"""Laws of `ebmkit.log_density`: the exact values and gradients of a known density, in the kind of what was asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ebmkit
from ebmkit.energies.wrap import energy as energy_of
from ebmkit.errors import CapabilityError, DataError, RecipeError
from ebmkit.point import Point
from ebmkit.sampling.log_density import log_density

MEAN = torch.tensor([1.0, -2.0], dtype=torch.float64)
COVARIANCE = torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
EXACT = torch.distributions.MultivariateNormal(MEAN, COVARIANCE)


def gaussian(x: Tensor) -> Tensor:
    """Returns the energy [B], nats, of N(MEAN, COVARIANCE)."""
    centred = x - MEAN.to(x)
    return (centred @ torch.linalg.inv(COVARIANCE).to(x) * centred).sum(dim=1) / 2


X = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture(scope="module")
def model() -> Any:
    return ebmkit.fit("mlp", torch.rand(64, 2), sampler="mala", objective="cd", steps=1, progress=False)


def test_it_is_the_exact_log_density_up_to_a_constant() -> None:
    log_p = log_density(gaussian)
    difference = log_p(X) - EXACT.log_prob(X)
    torch.testing.assert_close(difference, difference[:1].expand(5))
    assert log_p(X).shape == (5,) and log_p(X[0]).shape == () and log_p(X[0]) == log_p(X)[0]


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_values_and_gradients_agree_in_torch_and_numpy(temperature: float) -> None:
    log_p = log_density(gaussian, temperature=temperature)
    x = X.clone().requires_grad_()
    (score,) = torch.autograd.grad(EXACT.log_prob(x).sum(), x)
    value, gradient = log_p.value_and_gradient(X)
    torch.testing.assert_close(gradient, score / temperature)
    (through,) = torch.autograd.grad(log_p(x).sum(), x)
    torch.testing.assert_close(through, gradient)
    in_numpy, its_gradient = log_p.value_and_gradient(X.numpy())
    np.testing.assert_allclose(in_numpy, value.numpy())
    np.testing.assert_allclose(its_gradient, gradient.numpy())
    one, its = log_p.value_and_gradient(X[0].numpy())
    assert isinstance(one, float) and isinstance(its, np.ndarray) and its.shape == (2,)
    assert one == pytest.approx(float(value[0])) and isinstance(log_p([1.0, 2]), float)


def test_the_kind_of_the_answer_is_that_of_x_whatever_the_weights() -> None:
    log_p = log_density(nn.Linear(2, 1))
    for x in (X, X.float()):
        assert log_p(x).dtype == log_p.value_and_gradient(x)[1].dtype == x.dtype
        assert log_p(x.numpy()).dtype == log_p.value_and_gradient(x.numpy())[1].dtype == x.numpy().dtype
    assert log_p.value_and_gradient(np.array([1, 2]))[1].dtype == np.float64
    assert not log_p(X).requires_grad and log_p(X.clone().requires_grad_()).requires_grad


def test_a_network_is_asked_as_after_training_and_followed() -> None:
    net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
    log_p = log_density(net)
    first = log_p(X.float())
    assert torch.equal(log_p(X.float()), first) and net.training
    torch.testing.assert_close(log_p(X[0].float()), first[0])
    with torch.no_grad():
        net[3].bias += 1.0
    torch.testing.assert_close(log_p(X.float()), first - 1)


def test_a_model_has_its_own_temperature_and_shape(model: Any) -> None:
    x = torch.rand(4, 2)
    colder = replace(model, recipe=model.recipe.with_table("run", temperature=0.5))
    log_p = log_density(colder)
    torch.testing.assert_close(log_p(x), -model.energy(Point(x=x)).detach() / 0.5)
    torch.testing.assert_close(log_p.value_and_gradient(x)[1], colder.score(x))
    with pytest.raises(DataError, match=r"takes x \[2\] or \[B, 2\], found \[3\]"):
        log_p(torch.rand(3))
    with pytest.raises(RecipeError, match="label"):
        log_density(model, given={"label": "3"})


def test_a_run_is_its_model(model: Any) -> None:
    class Run:
        def __init__(self, model: Any) -> None:
            self.model = model

    x = torch.rand(4, 2)
    assert torch.equal(log_density(Run(model))(x), log_density(model)(x))  # type: ignore[arg-type]


def test_beyond_the_range_of_the_data_there_is_nothing(model: Any) -> None:
    assert model.data.value_range == (0.0, 1.0)
    log_p = log_density(model)
    inside, outside = log_p(np.array([[0.5, 0.5], [0.5, 1.5]]))
    assert np.isfinite(inside) and outside == -np.inf
    assert log_p.value_and_gradient(np.array([0.5, 1.5]))[1].tolist() == [0.0, 0.0]


def test_a_given_label_is_held() -> None:
    pairs = (torch.randn(64, 2), torch.arange(64) % 3)
    labelled = ebmkit.fit(
        ebmkit.energies.Mlp(labels=True), pairs, sampler="sgld", coordinate="label", steps=1, progress=False
    )
    x = torch.randn(4, 2)
    held = log_density(labelled, given={"label": "2"})(x)
    exact = -labelled.energy(Point(x=x, aux={"label": torch.full((4,), 2)})).detach() / labelled.temperature
    torch.testing.assert_close(held, exact)


def test_an_image_is_one_event() -> None:
    log_p = log_density(lambda x: x.square().sum(dim=(1, 2, 3)), event_shape=(1, 4, 4))
    assert log_p(torch.ones(1, 4, 4)) == -16 and log_p(torch.ones(3, 1, 4, 4)).tolist() == [-16] * 3


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (lambda: log_density(gaussian)(torch.zeros(2, 2, 2)), DataError, r"\[B, features\], found \[2, 2, 2\]"),
        (lambda: log_density(gaussian, temperature=0.0), RecipeError, "above 0, found 0.0"),
        (lambda: log_density(gaussian, given={"label": "1"}), RecipeError, "this is a bare energy"),
        (lambda: log_density(nn.Linear(3, 1))(torch.zeros(2)), CapabilityError, r"could not be asked about x \[1, 2\]"),
    ],
)
def test_what_makes_no_sense_is_told(asked: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        asked()


def leapfrog(log_p: Any, x: np.ndarray, momentum: np.ndarray, step: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    momentum = momentum + step / 2 * log_p.value_and_gradient(x)[1]
    for i in range(n):
        x = x + step * momentum
        momentum = momentum + (step if i < n - 1 else step / 2) * log_p.value_and_gradient(x)[1]
    return x, momentum


def test_a_sampler_in_numpy_finds_the_moments() -> None:
    """Somebody's own Hamiltonian Monte Carlo, 400 chains of numpy, on an energy that torch differentiates."""
    log_p, rng = log_density(energy_of(gaussian)), np.random.default_rng(0)
    x, draws = np.zeros((400, 2)), []
    for _ in range(60):
        momentum = rng.standard_normal(x.shape)
        proposal, end = leapfrog(log_p, x, momentum, 0.4, 5)
        log_ratio = log_p(proposal) - log_p(x) + ((momentum**2).sum(1) - (end**2).sum(1)) / 2
        accepted = np.log(rng.random(len(x))) < log_ratio
        x = np.where(accepted[:, None], proposal, x)
        draws.append(x)
    kept = np.concatenate(draws[20:])
    np.testing.assert_allclose(kept.mean(axis=0), MEAN.numpy(), atol=0.06)
    np.testing.assert_allclose(np.cov(kept.T), COVARIANCE.numpy(), atol=0.12)

"""The Fréchet distance of two Gaussians is known in closed form."""

from __future__ import annotations

import pytest
import torch

import ebmkit
from ebmkit.errors import DataError
from ebmkit.evaluation.uncertainty import bootstrap
from ebmkit.metrics.declarations.features import FdConfig
from ebmkit.metrics.fd import build_fd, frechet_distance
from ebmkit.plugins.context import BuildContext
from tests.metrics.planted_features import FLAT, Given


def exact_gaussian(n: int, mean: torch.Tensor, root: torch.Tensor, seed: int) -> torch.Tensor:
    """Returns rows [n, D] whose mean and (n − 1) covariance are exactly those asked for: root rootᵀ."""
    x = torch.randn(n, len(mean), generator=ebmkit.stream(seed, 0, "fd"), dtype=torch.float64)
    x = x - x.mean(dim=0)
    white = x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (n - 1))).T
    return white @ root.T + mean


def closed_form(mean, root, mean_, root_) -> float:
    """|μ − μ'|² + tr(Σ + Σ' − 2 (Σ^½ Σ' Σ^½)^½), by eigenvalues of a symmetric matrix."""
    a, b = root @ root.T, root_ @ root_.T
    values, vectors = torch.linalg.eigh(a)
    half = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(half @ b @ half).clamp(min=0).sqrt().sum()
    return float((mean - mean_).square().sum() + a.trace() + b.trace() - 2 * cross)


def laws(seed: int, d: int = 6):
    rng = ebmkit.stream(seed, 0, "laws")
    draw = lambda *shape: torch.randn(*shape, generator=rng, dtype=torch.float64)  # noqa: E731
    return draw(d) + 3, draw(d, d), draw(d) - 3, draw(d, d)


def uncentred(x, y) -> float:
    """A wrong double: second moments in place of covariances."""
    mean, mean_ = x.mean(dim=0), y.mean(dim=0)
    a, b = x.T @ x / len(x), y.T @ y / len(y)
    cross = torch.linalg.eigvals(a @ b).sqrt().real.sum()
    return float((mean - mean_).square().sum() + a.trace() + b.trace() - 2 * cross)


def holds(distance, seed: int) -> bool:
    mean, root, mean_, root_ = laws(seed)
    x, y = exact_gaussian(400, mean, root, seed), exact_gaussian(300, mean_, root_, seed + 1)
    return abs(distance(x, y) / closed_form(mean, root, mean_, root_) - 1) < 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_the_distance_of_two_gaussians_is_the_closed_form(seed):
    assert holds(frechet_distance, seed)
    assert not holds(uncentred, seed)


def test_one_dimension_by_hand():
    """(3 − 1)² + (2 − 0.5)² for means 3 and 1, standard deviations 2 and 0.5."""
    x = exact_gaussian(50, torch.tensor([3.0]).double(), torch.tensor([[2.0]]).double(), 0)
    y = exact_gaussian(60, torch.tensor([1.0]).double(), torch.tensor([[0.5]]).double(), 1)
    assert frechet_distance(x, y) == pytest.approx(4 + 2.25)
    assert frechet_distance(y, x) == pytest.approx(4 + 2.25)


def test_equal_sets_are_at_no_distance_even_far_from_the_origin():
    x = torch.rand(100, 8, generator=ebmkit.stream(0, 0, "x")) + 1e3
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-6)


def test_features_that_are_always_zero_do_no_harm():
    x, y = (torch.randn(200, 5, generator=ebmkit.stream(seed, 0, "x")) for seed in (0, 1))
    x[:, 3] = y[:, 3] = 0.0
    without = frechet_distance(x[:, [0, 1, 2, 4]], y[:, [0, 1, 2, 4]])
    assert frechet_distance(x, y) == pytest.approx(without, abs=1e-6)


def test_too_few_rows_for_a_covariance_are_refused_with_the_count():
    with pytest.raises(DataError, match=r"16 features needs at least 17 images a set, found 16"):
        frechet_distance(torch.rand(100, 16), torch.rand(16, 16))


def test_too_few_samples_are_refused_before_any_is_drawn(monkeypatch):
    given = subject(n=4)
    monkeypatch.setattr(Given, "samples", lambda self: pytest.fail("samples were drawn"))
    with pytest.raises(DataError, match="at least 5 images a set, found 4"):
        measured(given)


# --- the metric


def subject(shift: float = 0.0, n: int = 200, test: int | None = 200) -> Given:
    draw = [0.2 + 0.1 * torch.rand(m, 1, 2, 2, generator=ebmkit.stream(i, 0, "s")) for i, m in enumerate([n, 600, 400])]
    return Given(x=draw[0] + shift, train=draw[1], test=None if test is None else draw[2][:test])


def measured(given: Given, **settings):
    return build_fd(FdConfig(features=FLAT, **settings), BuildContext()).measure(given)


def test_the_name_of_the_features_is_in_the_key_and_the_definition():
    given = subject(shift=0.3)
    found = measured(given, bootstrap=20)
    assert set(found.estimates) == {"fd-Flat", "fd-Flat of test images"}
    assert found.estimates["fd-Flat"].value == pytest.approx(4 * 0.3**2, rel=0.1)
    assert found.estimates["fd-Flat"].n == 200 and found.estimates["fd-Flat"].better == "lower"
    assert "features 'Flat' [4] of 200 samples and of 500 training images" in found.definition
    assert any("Flat" in note for note in given.notes)


def test_real_images_beside_samples_of_the_same_law_are_as_near():
    found = measured(subject(), bootstrap=30)
    one, floor = found.estimates["fd-Flat"], found.estimates["fd-Flat of test images"]
    assert abs(one.value - floor.value) < 4 * (one.error + floor.error)
    assert floor.value < 1e-3


def test_without_test_images_other_training_images_stand_in():
    found = measured(subject(n=100, test=None), bootstrap=2)
    assert set(found.estimates) == {"fd-Flat", "fd-Flat of other training images"}
    assert "stand in" in found.notes[0]
    alone = measured(subject(n=200, test=None), bootstrap=2)
    assert set(alone.estimates) == {"fd-Flat"} and "no real images are compared" in alone.notes[0]


def test_fewer_test_images_than_samples_are_told():
    assert "Only 50 test images" in measured(subject(test=50), bootstrap=2).notes[0]


# --- errors


def test_the_error_of_the_distance_covers_how_it_varies():
    """Over fresh samples of one law its standard deviation is that of the bootstrap, within a third."""
    draws = [torch.randn(300, 4, generator=ebmkit.stream(i, 0, "v")) for i in range(60)]
    reference = torch.randn(300, 4, generator=ebmkit.stream(99, 0, "v")) + 1.0
    spread = torch.tensor([frechet_distance(x, reference) for x in draws]).std()
    error = bootstrap(lambda x: frechet_distance(x, reference), draws[0], rng=ebmkit.stream(0, 0, "b"), resamples=60)
    assert 0.6 < error / float(spread) < 1.6

"""Laws of the nearest-neighbour entropy."""

import importlib.util
import math
import re
from pathlib import Path

import pytest
import torch
from ebmkit_improved_cd.entropy import log_nearest_distance
from hypothesis import given, settings
from hypothesis import strategies as st

SHAPES = [(2,), (5,), (1, 3, 3), (3, 4, 4)]


def rows(n, shape, seed, dtype=torch.float64):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@settings(max_examples=30)
@given(n=st.integers(1, 5), m=st.integers(1, 40), shape=st.sampled_from(SHAPES), seed=st.integers(0, 999))
def test_it_is_the_log_of_the_least_distance(n, m, shape, seed):
    x, reference = rows(n, shape, seed), rows(m, shape, seed + 1)
    every = (x[:, None] - reference[None]).flatten(2).square().sum(dim=2).sqrt()
    torch.testing.assert_close(log_nearest_distance(x, reference, 0.01), (every.min(dim=1).values + 0.01).log())


@settings(max_examples=15)
@given(seed=st.integers(0, 999), shape=st.sampled_from(SHAPES))
def test_its_gradient_is_that_of_the_least_distance_and_leaves_references_alone(seed, shape):
    x, reference = rows(3, shape, seed).requires_grad_(), rows(8, shape, seed + 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: log_nearest_distance(x, reference, 0.01), x)
    log_nearest_distance(x, reference, 0.01).sum().backward()
    assert reference.grad is None
    away = x.detach() + 1e-3 * x.grad
    assert (log_nearest_distance(away, reference, 0.01) > log_nearest_distance(x, reference, 0.01)).all()


def test_an_exact_copy_is_finite_and_has_no_gradient():
    x = rows(2, (3,), 0).requires_grad_()
    value = log_nearest_distance(x, x.detach().clone(), 1e-4)
    value.sum().backward()
    assert value.tolist() == pytest.approx([math.log(1e-4)] * 2) and not x.grad.any()


def test_small_distances_keep_their_digits():
    """Where `cdist` takes a matrix product, it says 0 or .1 of two images that are .001 apart."""
    base = torch.rand(60, 784, generator=torch.Generator().manual_seed(0))
    x = base.clone()
    x[:, 0] += 0.001
    torch.testing.assert_close(
        log_nearest_distance(x, base, 1e-9), torch.full((60,), math.log(0.001)), rtol=1e-3, atol=0
    )
    wrong = torch.cdist(x, base).min(dim=1).values
    assert not torch.allclose(wrong, torch.full((60,), 0.001), rtol=0.1), "the double that this law is for"


@pytest.mark.parametrize(("d", "scale"), [(1, 1.0), (2, 3.0), (3, 0.2)])
def test_the_mean_rises_with_the_entropy(d, scale):
    """Scaling x by s adds d·log s to its entropy, and log s to the mean log-distance."""
    x, reference = rows(400, (d,), 1), rows(100, (d,), 2)
    difference = log_nearest_distance(scale * x, scale * reference, 0.0) - log_nearest_distance(x, reference, 0.0)
    torch.testing.assert_close(difference, torch.full_like(difference, math.log(scale)))


DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("dimension", [10, 784])
def test_the_share_of_the_entropy_that_100_references_see_is_that_of_the_page(dimension):
    spec = importlib.util.spec_from_file_location("entropy_gradient", DOCS / "entropy_gradient.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found = script.share(100, dimension, n_sets=30, n_points=400, seed=1)
    row = re.search(r"^\| 100 \(default\) (.*)$", (DOCS / "papers" / "improved-cd.md").read_text(), re.MULTILINE)[1]
    said = float(row.split("|")[1 + script.DIMENSIONS.index(dimension)].split("±")[0])
    assert float(found.mean()) == pytest.approx(said, abs=4 * float(found.std()) / 30**0.5 + 0.005)
    assert float(found.std()) / 30**0.5 < 0.03

"""Laws of the contrastive loss and of the guidance."""

from math import exp, log

import pytest
import torch
from ebmkit_clel.losses import guidance, nt_xent
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

sizes = st.integers(1, 6)
seeds = st.integers(0, 2**31)
temperatures = st.floats(0.05, 2.0)


def units(n: int, d: int, seed: int) -> Tensor:
    draws = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return functional.normalize(draws, dim=1)


def slow_nt_xent(a: Tensor, b: Tensor, keys: Tensor, mask: Tensor, temperature: float) -> float:
    """The algorithm box, one view at a time."""
    views, n, total = torch.cat([a, b]), len(a), 0.0
    for i, view in enumerate(views):
        others = [views[j] for j in range(2 * n) if j != i] + [
            key for key, used in zip(keys, mask, strict=True) if used
        ]
        positive = exp(float(view @ views[(i + n) % (2 * n)]) / temperature)
        total -= log(positive / sum(exp(float(view @ other) / temperature) for other in others))
    return total / (2 * n)


@given(n=sizes, m=st.integers(0, 5), seed=seeds, temperature=temperatures)
def test_nt_xent_is_the_algorithm_box(n, m, seed, temperature):
    a, b, keys = units(2 * n + m, 5, seed).split([n, n, m])
    mask = torch.rand(m, generator=torch.Generator().manual_seed(seed)) < 0.5
    found = nt_xent(a, b, keys, mask, temperature=temperature)
    assert float(found) == pytest.approx(slow_nt_xent(a, b, keys, mask, temperature), abs=1e-9)


@given(n=sizes, m=st.integers(0, 4), temperature=temperatures)
def test_identical_latents_leave_a_uniform_choice(n, m, temperature):
    same = units(1, 3, 0)
    found = nt_xent(same.expand(n, -1), same.expand(n, -1), same.expand(m, -1), temperature=temperature)
    assert float(found) == pytest.approx(log(2 * n - 1 + m), abs=1e-9)


@given(n=st.integers(1, 4), m=st.integers(0, 4), temperature=temperatures)
def test_orthogonal_data_with_equal_views_have_a_closed_form(n, m, temperature):
    basis = torch.eye(8, dtype=torch.float64)
    found = nt_xent(basis[:n], basis[:n], basis[4 : 4 + m], temperature=temperature)
    assert float(found) == pytest.approx(log(1 + (2 * n - 2 + m) * exp(-1 / temperature)), abs=1e-9)


@given(n=sizes, m=st.integers(1, 5), seed=seeds)
def test_a_masked_key_is_no_key(n, m, seed):
    a, b, keys = units(2 * n + m, 4, seed).split([n, n, m])
    mask = torch.arange(m) % 2 == 0
    masked = nt_xent(a, b, keys, mask, temperature=0.2)
    assert torch.equal(
        nt_xent(a, b, keys, ~torch.zeros(m).bool(), temperature=0.2), nt_xent(a, b, keys, temperature=0.2)
    )
    assert float(masked) == pytest.approx(float(nt_xent(a, b, keys[mask], temperature=0.2)), abs=1e-12)


def test_gradients_stay_finite_where_every_key_is_masked():
    a, b, keys = units(9, 4, 0).requires_grad_().split([3, 3, 3])
    leaf = a.detach().requires_grad_()
    nt_xent(leaf, b.detach(), keys.detach(), torch.zeros(3).bool(), temperature=0.2).backward()
    assert torch.isfinite(leaf.grad).all() and leaf.grad.abs().sum() > 0


@given(n=sizes, seed=seeds)
def test_nt_xent_does_not_depend_on_the_order_of_data_views_and_keys(n, seed):
    a, b, keys = units(3 * n, 4, seed).split(n)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    before = nt_xent(a, b, keys, temperature=0.2)
    torch.testing.assert_close(nt_xent(b[order], a[order], keys.flip(0), temperature=0.2), before)


@given(n=sizes, seed=seeds)
def test_guidance_is_the_mean_weighted_cosine(n, seed):
    latent, target = units(2 * n, 4, seed).split(n)
    weight = torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    cosine = functional.cosine_similarity(latent, target)
    torch.testing.assert_close(guidance(latent, target, weight), (weight * cosine).sum() / n)
    torch.testing.assert_close(guidance(latent, target), guidance(latent, target, torch.ones(n, dtype=torch.float64)))

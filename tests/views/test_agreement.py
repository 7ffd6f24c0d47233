"""Laws of the comparison of two ways of computing: by rows, where both are finite, and never blind."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.views.agreement import disagreement

NAN, INF = float("nan"), float("inf")


def rows(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))


@given(n=st.integers(1, 20), seed=st.integers(0, 99), factor=st.floats(0.5, 2.0))
def test_a_factor_is_found(n: int, seed: int, factor: float) -> None:
    b = 1 + rows(n, seed).abs()
    (off,) = disagreement((factor * b,), (b,))
    assert off == pytest.approx(abs(factor - 1), abs=1e-5)


@given(n=st.integers(3, 20), seed=st.integers(0, 99), wrong=st.integers(1, 2))
def test_one_wrong_row_is_seen_beside_a_huge_one(n: int, seed: int, wrong: int) -> None:
    b = 1 + rows(n, seed).abs()
    b[0] *= 1e8
    a = b.clone()
    a[wrong] *= -1
    assert disagreement((a,), (b,))[0] > 0.1


def test_rounding_of_a_row_near_nothing_is_no_error() -> None:
    b = torch.ones(9, 3)
    b[4] = 1e-9
    a = b.clone()
    a[4] = -1e-4
    assert disagreement((a,), (b,))[0] < 2e-4


@pytest.mark.parametrize(("found", "expected"), [(NAN, 1.0), (1.0, NAN), (INF, 1.0), (1.0, -INF)])
def test_what_is_not_finite_in_one_alone_is_an_error(found: float, expected: float) -> None:
    a, b = torch.ones(4), torch.ones(4)
    a[1], b[1] = found, expected
    assert disagreement((a,), (b,)) == [INF]


def test_what_is_finite_in_neither_is_left_out() -> None:
    a, b = torch.tensor([1.0, NAN, 2.0]), torch.tensor([1.0, INF, 1.0])
    assert disagreement((a,), (b,)) == [pytest.approx(1.0, abs=1e-5)]
    assert disagreement((torch.ones(2),), (torch.full((2,), NAN),)) == [0.0], "nothing to compare"


def test_tensors_are_compared_one_by_one_and_in_their_shapes() -> None:
    a = (torch.ones(3), torch.ones(3, 2))
    assert disagreement(a, (torch.ones(3), 2 * torch.ones(3, 2))) == [0.0, pytest.approx(0.5, abs=1e-5)]
    assert disagreement(a, (torch.ones(3), torch.ones(3, 1)))[1] == INF

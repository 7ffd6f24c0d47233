"""Laws of the film of a few chains: the start, the end, few frames between, in order; none of chains given up."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.errors import RunError
from ebmkit.evaluation.report.film import FRAMES, Film


@given(st.integers(1, 1000))
def test_a_film_has_start_and_end_and_few_frames(n: int) -> None:
    film = Film(torch.zeros(2, 1))
    for i in range(1, n + 1):
        film(torch.full((5, 1), float(i)))
    steps = [transition for transition, _ in film.frames]
    assert steps[0] == 0 and steps[-1] == n and steps == sorted(set(steps))
    assert len(steps) <= FRAMES + 2
    assert all(x.shape == (2, 1) and float(x[0]) == transition for transition, x in film.frames)


def test_chains_that_are_given_up_leave_no_film() -> None:
    film = Film(torch.zeros(2, 1), seconds=0)
    with pytest.raises(RunError, match="--seconds"):
        film(torch.ones(2, 1))
    assert film.frames == []


def test_chains_that_never_moved_leave_no_film() -> None:
    assert Film(torch.zeros(2, 1)).frames == []

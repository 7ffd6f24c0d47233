"""Laws of functions that are made anew: one version for what looks alike, a limit, and the same values throughout."""

from __future__ import annotations

import logging

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ebmkit.views.specialised import Function, Specialised


def doubled(x: Tensor) -> tuple[Tensor, ...]:
    return (2 * x,)


class Made:
    """Makes versions that give what the function gives, and keeps what they were made for."""

    def __init__(self) -> None:
        self.tensors: list[tuple[Tensor, ...]] = []

    def __call__(self, function: Function, tensors: tuple[Tensor, ...]) -> Function:
        self.tensors.append(tensors)
        return function


@given(sizes=st.lists(st.integers(1, 6), max_size=15), limit=st.integers(0, 4))
def test_each_shape_is_made_once_up_to_the_limit_and_all_are_answered(sizes: list[int], limit: int) -> None:
    made = Made()
    run = Specialised(made, limit)
    for n in sizes:
        x = torch.arange(n, dtype=torch.float32)
        assert torch.equal(run("double", doubled, x)[0], 2 * x)
    firsts = list(dict.fromkeys(sizes))[:limit]
    assert [len(tensors[0]) for tensors in made.tensors] == firsts


def test_strides_types_and_keys_are_told_apart_and_values_are_not() -> None:
    made = Made()
    run = Specialised(made, limit=9)
    x = torch.ones(2, 2)
    for given_, n in ((x, 1), (x + 1, 1), (x.t(), 2), (x.double(), 3)):
        run("a", doubled, given_)
        assert len(made.tensors) == n
    run("b", doubled, x)
    assert len(made.tensors) == 4


def test_a_version_that_could_not_be_made_is_not_kept() -> None:
    def failing(function: Function, tensors: tuple[Tensor, ...]) -> Function:
        raise RuntimeError("no")

    run = Specialised(failing)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"):
            run("a", doubled, torch.ones(1))


def test_that_shapes_run_eagerly_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    run = Specialised(Made(), limit=1)
    with caplog.at_level(logging.WARNING, logger="ebmkit.views.specialised"):
        for n in (1, 2, 3):
            run("a", doubled, torch.ones(n))
    assert len(caplog.records) == 1 and "(2,)" in caplog.text

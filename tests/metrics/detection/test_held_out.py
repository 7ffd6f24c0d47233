"""Held-out data: a choice of the test part that repeats; the last training data where there is none, and it is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ebmkit.data.arrays import quantise
from ebmkit.data.given import given_data
from ebmkit.errors import DataError
from ebmkit.metrics.detection.held_out import held_out, training_rows
from ebmkit.recipes.recipe import Part


def model(part: Part) -> Any:
    return SimpleNamespace(name="the run", recipe=SimpleNamespace(part=lambda table: part))


def levels(x: torch.Tensor) -> set[int]:
    return set(quantise(x)[:, 0, 0, 0].tolist())


def saved(tmp_path: Any, name: str, values: range) -> str:
    np.savez(tmp_path / name, x=np.array(values, dtype=np.uint8)[:, None, None, None].repeat(4, axis=2))
    return str(tmp_path / name)


def test_the_test_part_is_taken_and_the_choice_repeats(tmp_path) -> None:
    settings = {"path": saved(tmp_path, "a.npz", range(100)), "test_path": saved(tmp_path, "b.npz", range(100, 200))}
    run = model(Part("npz", settings))
    found = held_out(run, 30, seed=1)
    assert levels(found.x) < set(range(100, 200)) and len(levels(found.x)) == 30
    assert found.origin == "test data" and found.notes == ()
    assert torch.equal(found.x, held_out(run, 30, seed=1).x) and not torch.equal(found.x, held_out(run, 30, seed=2).x)
    assert len(held_out(run, 1000, seed=1).x) == 100
    rows = training_rows(run, 30, seed=1)
    assert levels(rows) < set(range(100)) and len(rows) == 30 and torch.equal(rows, training_rows(run, 30, seed=1))


def test_without_a_test_part_the_last_data_are_taken_in_any_order(tmp_path) -> None:
    run = model(Part("npz", {"path": saved(tmp_path, "a.npz", range(100))}))
    found = held_out(run, 10, seed=1)
    assert levels(found.x) == set(range(90, 100))
    assert quantise(found.x)[:, 0, 0, 0].tolist() != sorted(levels(found.x))
    assert found.origin == "of the last training data" and "its last 10 training data stand for one" in found.notes[0]


def test_data_that_a_program_handed_over() -> None:
    data = given_data(torch.randn(50, 2), device="cpu")
    assert len(held_out(model(Part("given", {"given": "a tensor"}, built=data)), 20, seed=0).x) == 20
    with pytest.raises(DataError, match=r"handed over by a program.*ebmkit.detector\(run, x=…\)"):
        held_out(model(Part("given", {"given": "a tensor"})), 20, seed=0)

"""Parts take no more memory than there is, and loaded ones little more than their file."""

from __future__ import annotations

import pytest
import torch

from ebmkit.assembly import memory
from ebmkit.assembly.build import build
from ebmkit.assembly.memory import no_larger_than, within_memory
from ebmkit.errors import RecipeError


def test_a_part_that_wants_more_than_there_is_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 2**20)
    with pytest.raises(RecipeError, match=r"Energy 'mlp', while it was built, asked for"):
        build("energy", "mlp", widths=[10**5, 64])
    with pytest.raises(RecipeError, match=r"Buffer 'replay', while it was built, asked for"):
        build("buffer", "replay", capacity=10**6)


def test_tensors_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 4 * 1_000)
    with within_memory("It"):
        held = [torch.zeros(100) for _ in range(10)]
    assert len(held) == 10
    with pytest.raises(RecipeError, match="It asked for 4,400 bytes"), within_memory("It"):
        held = [torch.zeros(10, 10) for _ in range(11)]


def test_loaded_parts_are_as_large_as_what_was_saved() -> None:
    with no_larger_than([torch.zeros(8)]), pytest.raises(RecipeError, match="or the run is damaged"):
        build("energy", "mlp", widths=[2**14, 2**14])
    with no_larger_than([torch.zeros(8)]):
        build("energy", "mlp", widths=[8])


def test_a_part_that_makes_layers_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_TENSORS", 100)
    with pytest.raises(RecipeError, match="made 101 tensors and was not done"):
        build("energy", "mlp", widths=[8] * 1_000)


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="mine"), within_memory("It"):
        raise RuntimeError("mine")

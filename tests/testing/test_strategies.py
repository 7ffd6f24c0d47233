"""What the strategies draw is what they say, and what is broken is found by them in few rounds."""

from __future__ import annotations

import ast
from math import prod
from pathlib import Path
from typing import Any

import torch
from hypothesis import find, given
from hypothesis import strategies as st

import ebmkit
from ebmkit.errors import EbmkitError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch
from ebmkit.protocols.energy import derivatives_of
from ebmkit.testing import strategies
from ebmkit.testing.energy_laws import check_energy
from ebmkit.testing.histories import MOST, N_LABELS, context, play
from ebmkit.testing.strategies import REPEATABLE
from tests.testing import doubles_of_buffers


@REPEATABLE
@given(shape=strategies.event_shapes(), images=strategies.event_shapes(images=True, most=99), data=st.data())
def test_points_and_batches_have_the_shape_and_the_range_that_were_asked(
    shape: tuple[int, ...], images: tuple[int, ...], data: st.DataObject
) -> None:
    assert len(images) == 3 and images[0] in (1, 3) and prod(images) <= 99
    value_range = data.draw(strategies.value_ranges())
    batch: Batch = data.draw(strategies.batches(shape=shape, value_range=value_range))
    assert batch.x.shape[1:] == shape and batch.y is not None and batch.y.dtype == torch.int64
    assert 1 <= len(batch) <= 12 and int(batch.y.max()) < N_LABELS
    if value_range is not None:
        assert float(batch.x.min()) >= value_range[0] and float(batch.x.max()) <= value_range[1]


@REPEATABLE
@given(shape=strategies.event_shapes(most=48), data=st.data())
def test_every_energy_keeps_the_laws_of_one(shape: tuple[int, ...], data: st.DataObject) -> None:
    energy: Any = data.draw(strategies.energies(shape=shape))
    check_energy(energy, data.draw(strategies.points(shape=shape)))
    assert derivatives_of(energy) is None


@REPEATABLE
@given(history=strategies.buffer_histories())
def test_rounds_are_within_their_bounds(history: Any) -> None:
    assert 1 <= len(history) <= 12
    assert all(1 <= len(one.labels) <= MOST and set(one.labels) <= set(range(N_LABELS)) for one in history)


def test_what_breaks_a_buffer_is_told_in_few_rounds() -> None:
    make: Any = doubles_of_buffers.build_twice
    config = doubles_of_buffers.ReplayConfig(capacity=24)

    def breaks(history: Any) -> bool:
        try:
            play(lambda: make(config, context()), history)
        except EbmkitError:
            return True
        return False

    shortest = find(strategies.buffer_histories(), breaks, settings=REPEATABLE, random=None)
    assert len(shortest) <= 3, shortest


def test_hypothesis_is_imported_by_who_asks_for_it_alone() -> None:
    root = Path(ebmkit.__file__).parent
    for file in root.rglob("*.py"):
        if file.name != "strategies.py":
            named = {name for node in ast.walk(ast.parse(file.read_text())) for name in _imported(node)}
            assert not any("hypothesis" in name or name.endswith("testing.strategies") for name in named), file


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_a_context_without_labels_has_no_label() -> None:
    names = {c.name for c in _every(BuildContext(event_shape=(2,)))}
    assert "label" not in names and "momentum" in names


def _every(context: BuildContext) -> list[Any]:
    found: list[Any] = []

    @REPEATABLE
    @given(coordinate=strategies.coordinates(context))
    def look(coordinate: Any) -> None:
        found.append(coordinate)

    look()
    return found

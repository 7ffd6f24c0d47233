"""What a coordinate says of itself is what it does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.assembly.build import build
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.host import host
from ebmkit.point import Batch, Point
from ebmkit.rng import stream

CONTEXT = BuildContext(event_shape=(2,), value_range=(0.0, 1.0), n_classes=4)
NAMES = [component.name for component, _ in host().all() if component.kind == "coordinate"]


def built(name: str) -> Any:
    return build("coordinate", name, context=CONTEXT)


def chains(coordinate: Any, n: int, seed: int, purpose: str) -> Point:
    """Lifted data, or fresh chains."""
    x = torch.rand(n, 2, generator=stream(seed, 0, "x"))
    if purpose == "data":
        batch = Batch(x=x, y=torch.arange(n) % 4)
        return coordinate.lift(batch, Point(x=x), stream(seed, 0, "lift"))
    return coordinate.prior(n, Point(x=x), stream(seed, 0, "prior"), purpose)


@pytest.mark.parametrize("name", NAMES)
@given(n=st.integers(1, 20), seed=st.integers(0, 2**31), purpose=st.sampled_from(["data", "buffer", "generation"]))
def test_it_is_away_from_data_only_where_it_says_so(name: str, n: int, seed: int, purpose: str) -> None:
    coordinate = built(name)
    point = chains(coordinate, n, seed, purpose)
    assert coordinate.leaves_data or coordinate.is_data(point).all()
    assert coordinate.is_data(coordinate.clean(point)).all()
    if coordinate.n_values is not None:
        value = point.aux[name]
        assert value.dtype == torch.int64 and value.shape == (n,)
        assert int(value.min()) >= 0 and int(value.max()) < coordinate.n_values


@pytest.mark.parametrize("name", NAMES)
def test_it_changes_x_only_where_it_says_so(name: str) -> None:
    coordinate = built(name)
    point = chains(coordinate, 50, 0, "data")
    assert torch.equal(point.x, torch.rand(50, 2, generator=stream(0, 0, "x"))) != coordinate.noises_x


@pytest.mark.parametrize("name", NAMES)
def test_some_value_is_away_from_data_where_it_says_so(name: str) -> None:
    coordinate = built(name)
    everywhere = chains(coordinate, 200, 0, "buffer")
    assert bool(coordinate.is_data(everywhere).all()) != coordinate.leaves_data

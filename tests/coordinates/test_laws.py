"""What a coordinate says of itself is what it does, whatever the data and the stream."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ebmkit.point import Point
from ebmkit.testing import strategies
from ebmkit.testing.coordinates import check_coordinate
from ebmkit.testing.strategies import REPEATABLE


@REPEATABLE
@given(coordinate=strategies.coordinates(), data=st.data())
def test_every_installed_coordinate_keeps_the_laws_of_one(coordinate: Any, data: st.DataObject) -> None:
    batch = data.draw(strategies.batches(shape=(2,), value_range=(0.0, 1.0)))
    check_coordinate(coordinate, batch, (0.0, 1.0), seed=data.draw(strategies.seeds()))
    point: Point = data.draw(strategies.points(shape=(2,), coordinates=[coordinate]))
    assert set(point.aux) == {coordinate.name} and len(point.aux[coordinate.name]) == len(point)

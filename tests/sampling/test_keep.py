"""Laws of what is kept of chains: every draw or the rows that are chosen, within a bound on memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmkit.errors import RecipeError
from ebmkit.point import Point
from ebmkit.sampling.keep import ENERGY, Keep, record


def draw(value: float, n: int = 3) -> Point:
    x = torch.full((n, 2), value)
    return record(Point(x=x, aux={"label": torch.arange(n)}), value + torch.arange(n))


def test_every_draw_has_its_place() -> None:
    room = Keep(thin=2).room(draw(0.0), transitions=5)
    for value in (1.0, 2.0):
        room.put(draw(value))
    kept = room.all()
    assert kept.x[:, :, 0].tolist() == [[1.0] * 3, [2.0] * 3] and kept.aux["label"].tolist() == [[0, 1, 2]] * 2
    assert kept.aux[ENERGY].tolist() == [[1, 2, 3], [2, 3, 4]]


def test_chosen_rows_follow_one_another() -> None:
    room = Keep(emit=lambda p: p.aux["label"] >= p.x[:, 0]).room(draw(0.0), transitions=9)
    for value in (2.0, 3.0, 1.0):
        room.put(draw(value))
    assert room.all().x[:, 0].tolist() == [2, 1, 1] and room.all().aux[ENERGY].tolist() == [4, 2, 3]


def test_whoever_chooses_sees_no_energy() -> None:
    seen: list[Point] = []

    def emit(point: Point) -> Tensor:
        seen.append(point)
        return point.aux["label"] > 0

    Keep(emit=emit).room(draw(0.0), 1).put(draw(1.0))
    assert seen[0].aux.keys() == {"label"}


def test_what_is_too_much_is_refused_before_the_first_draw_or_when_it_is() -> None:
    size = 3 * (2 * 4 + 8 + 4)
    assert len(Keep(max_bytes=5 * size).room(draw(0.0), 5).all().x) == 5
    with pytest.raises(RecipeError, match="one in 2 of them by a larger thin"):
        Keep(max_bytes=5 * size).room(draw(0.0), 6)
    room = Keep(emit=lambda p: p.x[:, 0] < 9, max_bytes=2 * size).room(draw(0.0), 6)
    room.put(draw(1.0))
    room.put(draw(2.0))
    with pytest.raises(RecipeError, match=f"emitted so far take {3 * size} bytes"):
        room.put(draw(3.0))

"""A point at every value of a coordinate."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.energies.sweep import sweep
from ebmkit.point import Point


@given(n=st.integers(1, 5), n_values=st.integers(1, 4), rows=st.integers(1, 25), there=st.booleans())
def test_every_row_has_every_value_once_in_pieces_that_are_small_enough(
    n: int, n_values: int, rows: int, there: bool
) -> None:
    point = Point(x=torch.randn(n, 2, 3), aux={"label": torch.arange(n)})
    point = point.with_aux(level=torch.zeros(n, dtype=torch.int64)) if there else point
    pieces = list(sweep(point, "level", n_values, rows))
    assert all(len(place) == len(piece) <= rows for place, piece in pieces)
    place = torch.cat([place for place, _ in pieces])
    x, label, level = (
        torch.cat(t) for t in zip(*((p.x, p.aux["label"], p.aux["level"]) for _, p in pieces), strict=True)
    )
    assert torch.equal(x, repeat(point.x, "b ... -> (b level) ...", level=n_values))
    assert torch.equal(label, place) and torch.equal(point.x[place], x)
    assert (rearrange(level, "(b level) -> b level", b=n) == torch.arange(n_values)).all()


def test_the_graph_of_x_is_kept() -> None:
    x = torch.randn(3, 2, requires_grad=True)
    whole = torch.cat([piece.x for _, piece in sweep(Point(x=x), "level", 4, 5)])
    (gradient,) = torch.autograd.grad(whole.sum(), x)
    assert torch.equal(gradient, torch.full_like(x, 4.0))

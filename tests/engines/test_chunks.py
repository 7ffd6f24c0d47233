"""Laws of chunks: the values of one pass, rows in order, coordinates split alike, the random stream untouched."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ebmkit
from ebmkit.engines import passes
from ebmkit.engines.chunks import chosen_rows, in_chunks
from ebmkit.engines.passes import gradient_of
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.point import Point
from ebmkit.sampling import sample
from ebmkit.views import view


def wells(point: Point) -> Tensor:
    """Two wells, weighed by a coordinate: a row with another row's weight would show."""
    weight = point.aux.get("weight", torch.ones(()))
    return weight * (point.x.square() - 1).square().flatten(1).sum(dim=1)


def points(n: int, seed: int = 0) -> Point:
    rng = torch.Generator().manual_seed(seed)
    return Point(x=torch.randn(n, 3, generator=rng), aux={"weight": torch.rand(n, generator=rng)})


@settings(max_examples=30)
@given(n=st.integers(1, 40), rows=st.integers(0, 45), seed=st.integers(0, 9))
def test_chunks_give_what_one_pass_gives(n: int, rows: int, seed: int) -> None:
    point = points(n, seed)
    seen, chunked = view(wells), view(wells, chunk=rows)
    torch.testing.assert_close(chunked.energy(point), seen.energy(point))
    for whole, parts in zip(seen.energy_and_drift(point), chunked.energy_and_drift(point), strict=True):
        torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(chunked.drift(point), seen.drift(point))


@given(n=st.integers(1, 30), rows=st.integers(1, 12))
def test_no_chunk_is_larger_and_none_is_left_out(n: int, rows: int) -> None:
    sizes: list[int] = []

    def asked(point: Point) -> tuple[Tensor, ...]:
        sizes.append(len(point))
        return (point.x, point.aux["weight"])

    point = points(n)
    x, weight = in_chunks(asked, point, rows)
    assert torch.equal(x, point.x) and torch.equal(weight, point.aux["weight"])
    assert sum(sizes) == n and max(sizes) <= rows and all(size == rows for size in sizes[:-1])


def test_levels_go_in_chunks_too() -> None:
    class Levelled(torch.nn.Module):
        abilities = frozenset({"energy", "levels"})

        def levels(self, point: Point) -> Tensor:
            return point.x.sum(dim=1, keepdim=True) * torch.arange(3.0)

        def forward(self, point: Point) -> Tensor:
            return self.levels(point)[:, 0]

    point = points(7).with_aux(level=torch.zeros(7, dtype=torch.long))
    assert torch.equal(view(Levelled(), chunk=2).levels(point), view(Levelled()).levels(point))


@pytest.mark.parametrize("name", ["mala", "hmc", "sgld"])
def test_the_random_stream_does_not_depend_on_chunks(name: str) -> None:
    """In double precision no decision is so near that rounding turns it: the chains and what they accept agree."""
    sampler = ebmkit.build("sampler", name, step_size=0.02, **({"noise": 0.1} if name == "sgld" else {}))
    start = Point(x=torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    whole, parts = (sample(view(wells, chunk=rows), sampler, start, transitions=6) for rows in (0, 7))
    torch.testing.assert_close(parts.x, whole.x)
    assert torch.equal(parts.accept_rate, whole.accept_rate) and (whole.chunk, parts.chunk) == (0, 7)


def test_a_sample_repeats_with_the_chunk_that_it_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "LARGE", 40)
    monkeypatch.setattr(passes, "chosen_rows", lambda gradient, point: 9)
    start = torch.randn(40, 3, generator=torch.Generator().manual_seed(1))
    draws = sample(wells, "mala", start, transitions=2)
    assert draws.chunk == 9
    assert torch.equal(draws.x, sample(wells, "mala", start, transitions=2, chunk=9).x)
    with pytest.raises(RecipeError, match="chunk"):
        sample(view(wells), "mala", start, transitions=2, chunk=9)


def test_small_batches_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "chosen_rows", lambda gradient, point: pytest.fail("measured"))
    seen = view(wells, chunk="auto")
    seen.drift(points(passes.LARGE - 1))
    assert seen.passes.chunk == "auto"


def test_a_large_batch_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(passes, "LARGE", 10)
    monkeypatch.setattr(passes, "chosen_rows", lambda gradient, point: asked.append(len(point)) or 4)
    seen = view(wells, chunk="auto")
    for n in (10, 20, 10):
        torch.testing.assert_close(seen.drift(points(n)), view(wells).drift(points(n)))
    assert asked == [10] and seen.passes.chunk == 4


def test_an_energy_that_knows_its_batch_is_never_cut() -> None:
    shift = torch.randn(2500, 3)

    def held(point: Point) -> Tensor:
        return (point.x - shift).square().sum(dim=1)

    assert chosen_rows(gradient_of(held), Point(x=torch.zeros(2500, 3))) == 0


def test_an_energy_whose_rows_see_each_other_is_never_cut() -> None:
    def mixed(point: Point) -> Tensor:
        return (point.x - point.x.mean(dim=0)).square().sum(dim=1) * len(point)

    assert chosen_rows(gradient_of(mixed), Point(x=torch.randn(2500, 3))) == 0


def test_the_fastest_chunk_is_chosen_and_only_where_it_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cost: dict[int, float] = {0: 1.0, 500: 2.0, 1000: 0.7, 2000: 0.5, 4000: 0.8}
    monkeypatch.setattr("ebmkit.engines.chunks._seconds", lambda f, point, rows: cost[rows] * len(point))
    assert chosen_rows(gradient_of(wells), points(9000)) == 2000
    cost.update({1000: 0.99, 2000: 0.95, 4000: 0.99})
    assert chosen_rows(gradient_of(wells), points(9000)) == 0, "noise is no reason"


@pytest.mark.parametrize("chunk", [-1, 1.5, "many", True])
def test_what_is_no_count_is_refused(chunk: object) -> None:
    with pytest.raises(CapabilityError, match="chunk"):
        view(wells, chunk=chunk)  # type: ignore[arg-type]

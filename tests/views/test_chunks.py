"""Laws of chunks: the values of one pass, rows in order, coordinates split alike, the random stream untouched."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, cycle, repeat

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ebmkit
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.point import Point
from ebmkit.sampling.sample import sample
from ebmkit.views import chunks, passes
from ebmkit.views.chunks import MOST, RowFunction, chosen_rows, in_chunks
from ebmkit.views.passes import value_and_gradient
from ebmkit.views.view import view


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins that keep nothing for a backward pass are timed all the same."""
    monkeypatch.setattr(chunks, "CACHE", 0)


def test_what_stays_in_a_cache_as_it_is_is_never_timed() -> None:
    def untold() -> float:
        raise AssertionError("no clock is looked at")

    assert chosen_rows(value_and_gradient(wells), points(10_000), untold) == 0


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
    for whole, parts in zip(seen.energy_and_gradient(point), chunked.energy_and_gradient(point), strict=True):
        torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(chunked.gradient(point), seen.gradient(point))


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
        abilities = frozenset({"energy", "levels.level"})

        def levels(self, point: Point, name: str = "level") -> Tensor:
            return point.x.sum(dim=1, keepdim=True) * torch.arange(3.0)

        def forward(self, point: Point) -> Tensor:
            return self.levels(point)[:, 0]

    point = points(7).with_aux(level=torch.zeros(7, dtype=torch.long))
    assert torch.equal(view(Levelled(), chunk=2).levels(point, "level"), view(Levelled()).levels(point, "level"))


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
    seen.gradient(points(passes.LARGE - 1))
    assert seen.passes.chunk == "auto"


def test_a_large_batch_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(passes, "LARGE", 10)
    monkeypatch.setattr(passes, "chosen_rows", lambda gradient, point: asked.append(len(point)) or 4)
    seen = view(wells, chunk="auto")
    for n in (10, 20, 10):
        torch.testing.assert_close(seen.gradient(points(n)), view(wells).gradient(points(n)))
    assert asked == [10] and seen.passes.chunk == 4


def test_an_energy_that_knows_its_batch_is_never_cut() -> None:
    shift = torch.randn(2500, 3)

    def held(point: Point) -> Tensor:
        return (point.x - shift).square().sum(dim=1)

    assert chosen_rows(value_and_gradient(held), Point(x=torch.zeros(2500, 3))) == 0


def test_an_energy_whose_rows_see_each_other_is_never_cut() -> None:
    def mixed(point: Point) -> Tensor:
        return (point.x - point.x.mean(dim=0)).square().sum(dim=1) * len(point)

    assert chosen_rows(value_and_gradient(mixed), Point(x=torch.randn(2500, 3))) == 0


@pytest.mark.parametrize("x", [torch.zeros(9000, 1), torch.full((9000, 1), 3.0)])
def test_chains_that_start_alike_hide_no_such_energy(x: Tensor) -> None:
    weight = torch.linspace(0.1, 10, 9000)

    def sliced(point: Point) -> Tensor:
        return weight[: len(point)] * point.x[:, 0].square()

    def mixed(point: Point) -> Tensor:
        return (point.x - point.x.mean(dim=0)).square().sum(dim=1)

    timed = Spent(FAST)
    for energy in (sliced, mixed):
        assert chosen_rows(timed.by(value_and_gradient(energy)), Point(x=x), timed.clock) == 0, (
            "though chunks are faster"
        )


class Spent:
    """Time passes only in passes: so much a row by the size of the pass, each as many times as the machine is slow."""

    def __init__(self, cost: dict[int, float], slowness: Iterator[float] | None = None) -> None:
        self.cost, self.slowness = cost, slowness or repeat(1.0)
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def by(self, function: RowFunction) -> RowFunction:
        def spending(point: Point) -> tuple[Tensor, ...]:
            size = len(point)
            self.now += 1e-6 * size * self.cost.get(size, self.cost[0]) * next(self.slowness)
            return function(point)

        return spending


FAST = {0: 1.0, 500: 2.0, 1000: 0.7, 2000: 0.5, 4000: 0.8}


def found(timed: Spent, n: int = 8000) -> int:
    return chosen_rows(timed.by(value_and_gradient(wells)), points(n), timed.clock)


@pytest.mark.usefixtures("everything_is_large")
def test_the_fastest_chunk_is_chosen_and_only_where_it_is_worth_it() -> None:
    assert found(Spent(FAST)) == 2000
    assert found(Spent({**FAST, 1000: 0.99, 2000: 0.95, 4000: 0.99})) == 0, "noise is no reason"
    assert found(Spent({**FAST, 2000: 2.0, 4000: 2.0})) == 1000


@pytest.mark.usefixtures("everything_is_large")
def test_a_machine_that_slows_down_slows_all_sizes() -> None:
    assert found(Spent(FAST, (1.001**i for i in range(10**6)))) == 2000
    assert found(Spent(dict.fromkeys(FAST, 1.0), (1.001**i for i in range(10**6)))) == 0


@pytest.mark.parametrize("seed", range(20))
def test_a_noisy_clock_chooses_nothing(seed: int) -> None:
    """All sizes cost the same; one pass in six takes up to four times as long."""
    rng = torch.Generator().manual_seed(seed)
    draws = 1 + 3 * torch.rand(5000, generator=rng) * (torch.rand(5000, generator=rng) < 1 / 6)
    assert found(Spent(dict.fromkeys(FAST, 1.0), cycle(draws.tolist()))) == 0


@pytest.mark.usefixtures("everything_is_large")
def test_a_winner_by_luck_is_not_confirmed() -> None:
    """Chunks are fast while the sizes are compared, and as slow as all else when the best is timed once more."""
    compared = [1.0] * 10 + ([1.0] + [0.5] * (16 + 8 + 4 + 2)) * 5
    assert found(Spent({0: 1.0}, chain(compared, repeat(1.0)))) == 0
    assert found(Spent({0: 1.0}, chain(compared, ([1.0] + [0.5] * 16) * 5))) == 500, "fast once more"


@pytest.mark.usefixtures("everything_is_large")
def test_a_huge_batch_is_timed_by_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    timed = Spent(FAST)
    function = timed.by(value_and_gradient(wells))
    n = MOST + 5000
    assert chosen_rows(lambda p: sizes.append(len(p)) or function(p), points(n), timed.clock) == 2000
    assert sizes.count(n) == 2 and sizes.count(MOST) == 10, "asked whole twice, to compare; timed by the head"


@pytest.mark.usefixtures("everything_is_large")
def test_long_passes_are_timed_in_few_rounds() -> None:
    sizes: list[int] = []
    timed = Spent({size: 1000 * cost for size, cost in FAST.items()})
    function = timed.by(value_and_gradient(wells))
    assert chosen_rows(lambda p: sizes.append(len(p)) or function(p), points(8000), timed.clock) == 2000
    assert sizes.count(8000) == 2 + 2 + 2


def test_chunks_keep_the_memory_format_of_x() -> None:
    x = torch.randn(10, 3, 4, 4, generator=torch.Generator().manual_seed(0)).to(memory_format=torch.channels_last)
    seen, chunked = view(wells), view(wells, chunk=4)
    energy, gradient = chunked.energy_and_gradient(Point(x=x))
    assert gradient.stride() == x.stride() == seen.gradient(Point(x=x)).stride() and energy.shape == (10,)
    torch.testing.assert_close(gradient, seen.gradient(Point(x=x)))
    assert chunked.gradient(Point(x=x)).stride() == x.stride()


@pytest.mark.parametrize("chunk", [-1, 1.5, "many", True])
def test_what_is_no_count_is_refused(chunk: object) -> None:
    with pytest.raises(CapabilityError, match="chunk"):
        view(wells, chunk=chunk)  # type: ignore[arg-type]

"""Laws of the replay buffer: whatever its history, a row keeps its own coordinates and its own place."""

from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from ebmkit.assembly.build import build
from ebmkit.buffers.replay import Replay, assign
from ebmkit.coordinates.label import Label
from ebmkit.errors import CapabilityError, CheckpointError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.buffer import Buffer
from ebmkit.rng import stream
from ebmkit.testing import strategies
from ebmkit.testing.histories import CAPACITY, Round, context, play
from ebmkit.testing.strategies import REPEATABLE

N_CLASSES = 3


class Serial:
    """A real-valued coordinate whose fresh values, like the first entry of fresh x, name the row."""

    name = "serial"

    def __init__(self) -> None:
        self.n_made = 0

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        serial = torch.arange(self.n_made, self.n_made + n).float()
        self.n_made += n
        x = point.x.clone()
        x[:, 0] = serial
        return Point(x=x, aux={**point.aux, "serial": serial})


def replay(capacity: int = 12, reinit: float = 0.0, labels: bool = True, **config: Any) -> Replay:
    coordinates = (Serial(), *([Label(N_CLASSES)] if labels else []))
    context = BuildContext(event_shape=(2,), coordinates=coordinates, batch_size=1, seed=4)
    buffer: Replay = build("buffer", "replay", context=context, capacity=capacity, reinit=reinit, **config)
    return buffer


def positives(labels: list[int]) -> Point:
    n = len(labels)
    return Point(x=torch.zeros(n, 2), aux={"label": torch.tensor(labels), "serial": torch.full((n,), -1.0)})


def rng(seed: int) -> Generator:
    return stream(seed, 0, "test")


def serials(point: Point) -> list[int]:
    return [int(s) for s in point.aux["serial"]]


@REPEATABLE
@given(history=strategies.buffer_histories(), reinit=st.sampled_from([0.0, 0.3]))
def test_whatever_its_history_rows_come_back_whole_and_once(history: list[Round], reinit: float) -> None:
    play(lambda: build("buffer", "replay", context=context(), capacity=CAPACITY, reinit=reinit), history)


@settings(max_examples=60)
@given(
    labels=st.lists(st.integers(0, N_CLASSES - 1), min_size=1, max_size=12),
    match=st.booleans(), seeds=st.lists(st.integers(0, 99), min_size=1, max_size=4),
)  # fmt: skip
def test_a_row_lies_still_until_its_chain_returns_to_its_place(
    labels: list[int], match: bool, seeds: list[int]
) -> None:
    buffer = replay(reinit=0.3)
    for seed in seeds:
        before = buffer.rows.map(torch.clone)
        places, chains = buffer.draw(positives(labels), rng(seed), frozenset({"label"} if match else ()))
        assert len(set(places.tolist())) == len(labels) == len(chains)
        assert all(torch.equal(a, b) for a, b in zip(_tensors(before), _tensors(buffer.rows), strict=True))
        held, rows = serials(before.map(lambda t, at=places: t[at])), set(serials(before))
        assert all(new == old or new not in rows for new, old in zip(serials(chains), held, strict=True))
        moved = chains.replace(x=chains.x + torch.tensor([0.0, 1.0]))
        buffer.put(places, moved)
        after = buffer.rows.map(lambda t, at=places: t[at])
        assert all(torch.equal(a, b) for a, b in zip(_tensors(after), _tensors(moved), strict=True))
        assert len(set(serials(buffer.rows))) == len(buffer)


def _tensors(point: Point) -> list[Tensor]:
    return [point.x, *point.aux.values()]


@settings(max_examples=60)
@example(n=3, spare=0, keys=1, values=2, seed=0)
@given(
    n=st.integers(1, 6), spare=st.integers(0, 4), keys=st.integers(1, 3), values=st.integers(1, 4),
    seed=st.integers(0, 999),
)  # fmt: skip
def test_every_wanted_value_finds_a_row_while_there_are_any(
    n: int, spare: int, keys: int, values: int, seed: int
) -> None:
    n_rows = n + spare
    draw = torch.Generator().manual_seed(seed)
    held, wanted = (torch.randint(-values, values, (keys, size), generator=draw) for size in (n_rows, n))
    rows, found = assign(held, wanted)
    assert len(set(rows.tolist())) == n and int(rows.min()) >= 0 and int(rows.max()) < n_rows
    assert torch.equal(found, (held[:, rows] == wanted).all(dim=0))
    for value in {tuple(column) for column in wanted.T.tolist()}:
        have = sum(tuple(column) == value for column in held.T.tolist())
        want = [tuple(column) == value for column in wanted.T.tolist()]
        assert int(found[torch.tensor(want)].sum()) == min(have, sum(want))


def test_matching_takes_rows_at_random() -> None:
    firsts = {int(replay().draw(positives([1]), rng(seed), frozenset({"label"}))[0]) for seed in range(20)}
    assert len(firsts) > 1


def test_matched_real_values_are_taken_from_the_positive() -> None:
    _, chains = replay().draw(positives([0, 1]), rng(0), frozenset({"serial"}))
    assert chains.aux["serial"].tolist() == [-1.0, -1.0]


def test_a_discrete_vector_is_matched_as_a_whole() -> None:
    buffer = replay()
    pairs = torch.stack([buffer.rows.aux["label"], 1 - buffer.rows.aux["label"]], dim=1)
    buffer.rows = buffer.rows.with_aux(pair=pairs)
    buffer.fresh.coordinates = [*buffer.fresh.coordinates, _Pair()]  # type: ignore[list-item]
    positive = positives([0, 0]).with_aux(pair=torch.tensor([[1, 0], [1, 5]]))
    _, chains = buffer.draw(positive, rng(0), frozenset({"pair"}))
    assert serials(chains)[0] < 12 <= serials(chains)[1], "[1, 5] is held by no row: it starts afresh"
    assert torch.equal(chains.aux["pair"], positive.aux["pair"])


class _Pair:
    name = "pair"

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        return point.with_aux(pair=torch.zeros(n, 2, dtype=torch.long))


@pytest.mark.parametrize("reinit", [0.0, 0.2, 1.0])
def test_chains_restart_at_the_rate_that_was_asked(reinit: float) -> None:
    buffer, restarted, n = replay(capacity=50, reinit=reinit), 0, 0
    for seed in range(60):
        _, chains = buffer.draw(positives([0] * 50), rng(seed))
        restarted, n = restarted + sum(s >= 50 for s in serials(chains)), n + 50
    assert abs(restarted - n * reinit) <= 4 * (n * reinit * (1 - reinit)) ** 0.5


def test_rows_that_start_at_data_are_those_of_the_step_that_draws_them_first() -> None:
    buffer, data = replay(capacity=6, start="data"), positives([3, 1, 4])
    places, first = buffer.draw(data, rng(0))
    assert serials(first) == [-1, -1, -1] and first.aux["label"].tolist() == [3, 1, 4]
    buffer.put(places, first.with_aux(serial=torch.full((3,), 100.0)))
    for seed in range(20):
        drawn, again = buffer.draw(positives([5, 9, 2]), rng(seed))
        kept = [place in places.tolist() for place in drawn.tolist()]
        assert serials(again) == [100 if is_kept else -1 for is_kept in kept]


def test_without_enough_rows_it_says_so() -> None:
    buffer = replay()
    with pytest.raises(CapabilityError, match="capacity"):
        buffer.draw(positives([0] * 13), rng(0))
    places, _ = buffer.draw(positives([0] * 8), rng(0))
    with pytest.raises(CapabilityError, match="8 of them in use"):
        buffer.reference(5, rng(0), exclude=places)
    assert len(buffer.reference(12, rng(0))) == 12
    with pytest.raises(CapabilityError, match="batch of 64"):
        build("buffer", "replay", context=BuildContext(batch_size=64), capacity=10)


def test_a_row_cannot_lose_or_gain_a_coordinate() -> None:
    buffer = replay()
    places, chains = buffer.draw(positives([0]), rng(0))
    for wrong in (chains.without("label"), chains.with_aux(momentum=torch.zeros(1))):
        with pytest.raises(CapabilityError, match="label"):
            buffer.put(places, wrong)


def test_references_are_rows_of_moved_chains_while_there_are_enough() -> None:
    buffer, moved = replay(), set[int]()
    assert buffer.filled == 0
    for seed in range(4):
        places, chains = buffer.draw(positives([0, 1]), rng(seed))
        in_use = set(places.tolist())
        for k in range(11):
            found = {
                int(i)
                for i in (buffer.rows.x[:, None] == buffer.reference(k, rng(k), places).x).all(dim=2).nonzero()[:, 0]
            }
            assert len(found) == k and not found & in_use
            assert len(found & moved) == min(k, len(moved - in_use)), "moved ones first"
        buffer.put(places, chains)
        moved |= in_use
        assert buffer.filled == len(moved)


def test_chains_of_another_precision_can_come_back() -> None:
    buffer = replay()
    places, chains = buffer.draw(positives([0, 1]), rng(0))
    buffer.put(places, chains.replace(x=chains.x.double()))
    assert buffer.rows.x.dtype == torch.float32


def images(
    place: str = "device", storage: str = "uint8", value_range: tuple[float, float] | None = (-1.0, 1.0)
) -> Replay:
    context = BuildContext(event_shape=(1, 4, 4), value_range=value_range, batch_size=4)
    buffer: Replay = build("buffer", "replay", context=context, capacity=8, reinit=0.0, storage=storage, place=place)
    return buffer


@pytest.mark.parametrize("place", ["device", "host"])
def test_uint8_rows_come_back_within_half_a_step(place: str) -> None:
    buffer, positive = images(place), Point(x=torch.zeros(4, 1, 4, 4))
    assert buffer.rows.x.dtype == torch.uint8 and buffer.rows.x.device.type == "cpu"
    places, chains = buffer.draw(positive, rng(0))
    x = torch.linspace(-1, 1, 64).view(4, 1, 4, 4)
    buffer.put(places, chains.replace(x=x))
    back = buffer._loaded(buffer.rows.map(lambda tensor: tensor[places])).x
    assert (back - x).abs().max() <= 1 / 255 + 1e-6 and back.min() >= -1 and back.max() <= 1
    buffer.put(places, chains.replace(x=back))
    assert torch.equal(buffer._loaded(buffer.rows.map(lambda tensor: tensor[places])).x, back), "rounding happens once"


def test_uint8_needs_a_value_range() -> None:
    with pytest.raises(CapabilityError, match="value range"):
        images(value_range=None)


def test_fresh_rows_fill_the_value_range() -> None:
    x = images(storage="float").rows.x
    assert x.min() >= -1 and x.max() <= 1 and x.std() > 0.4
    assert images(storage="float", value_range=None).rows.x.abs().max() > 1


def test_a_foreign_checkpoint_is_refused() -> None:
    buffer = replay()
    saved = {name: tensor.clone() for name, tensor in buffer.state_dict().items()}
    assert set(saved) == {"x", "moved", "aux.label", "aux.serial"}
    wrong = [
        {k: v for k, v in saved.items() if k != "aux.label"},
        {**saved, "aux.level": torch.zeros(12)},
        {**saved, "x": saved["x"][:6]},
        {**saved, "x": saved["x"].double()},
    ]
    for state in wrong:
        with pytest.raises(CheckpointError, match="another recipe"):
            buffer.load_state_dict(state)
    assert torch.equal(buffer.rows.x, saved["x"])


def test_the_same_seed_makes_the_same_buffer_and_the_global_stream_stays() -> None:
    before = torch.get_rng_state()
    a, b = replay(), replay()
    assert all(torch.equal(s, t) for s, t in zip(_tensors(a.rows), _tensors(b.rows), strict=True))
    drawn = [buffer.draw(positives([0, 1, 2]), rng(1), frozenset({"label"})) for buffer in (a, b)]
    assert torch.equal(drawn[0][0], drawn[1][0]) and torch.equal(drawn[0][1].x, drawn[1][1].x)
    assert torch.equal(torch.get_rng_state(), before) and isinstance(a, Buffer)

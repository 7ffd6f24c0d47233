"""Laws of the reservoir: every chain ever put survives with the same probability, and keeps its own coordinates."""

from math import sqrt

import pytest
import torch
from ebmkit_improved_cd.reservoir import Ticket, places_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ebmkit import BuildContext, CapabilityError, Point
from ebmkit.assembly.build import build
from ebmkit.coordinates.label import Label
from ebmkit.errors import CheckpointError
from ebmkit.protocols.buffer import Buffer
from ebmkit.rng import stream

N_CLASSES, SIZE = 3, 10


def reservoir(capacity=SIZE, reinit=0.0, batch_size=1, **config):
    context = BuildContext(event_shape=(2,), coordinates=(Label(N_CLASSES),), batch_size=batch_size, seed=4)
    return build("buffer", "reservoir", context=context, capacity=capacity, reinit=reinit, **config)


def positives(n):
    return Point(x=torch.zeros(n, 2), aux={"label": torch.arange(n) % N_CLASSES})


def chains(serials):
    """Returns chains that bear a number, in x and in the label: none is negative where it was put."""
    serial = torch.as_tensor(serials).float()
    return Point(x=torch.stack([serial, -serial], dim=1), aux={"label": serial.long() % N_CLASSES})


def rng(seed):
    return stream(seed, 0, "test")


def put(buffer, serials, seed):
    ticket, _ = buffer.draw(positives(len(serials)), rng(seed))
    buffer.put(ticket, chains(serials))


def algorithm_r(kept, serials, chance, n_put):
    """Algorithm R in so many words (Vitter, 1985): one chain after another."""
    for serial, u in zip(serials, chance.tolist(), strict=True):
        n_put += 1
        if n_put <= len(kept):
            kept[n_put - 1] = serial
        elif (place := int(u * n_put)) < len(kept):
            kept[place] = serial
    return n_put


class ReservoirHistory(RuleBasedStateMachine):
    """Any history of draw, move, put, reference, save and load, beside algorithm R in a loop."""

    def __init__(self):
        super().__init__()
        self.buffer, self.kept = reservoir(reinit=0.2), [None] * SIZE
        self.n_put, self.held = 0, None

    @precondition(lambda self: self.held is None)
    @rule(n=st.integers(1, SIZE), seed=st.integers(0, 99), match=st.booleans())
    def draw(self, n, seed, match):
        positive = positives(n)
        ticket, drawn = self.buffer.draw(positive, rng(seed), frozenset({"label"} if match else ()))
        assert len(set(ticket.places.tolist())) == n == len(drawn)
        assert not match or torch.equal(drawn.aux["label"], positive.aux["label"])
        for x, label in zip(drawn.x, drawn.aux["label"], strict=True):
            if x[0] == -x[1]:
                assert int(x[0]) in self.kept and int(label) == int(x[0]) % N_CLASSES, "a row keeps its own label"
        self.held = ticket

    @precondition(lambda self: self.held is not None)
    @rule()
    def put(self):
        serials = list(range(self.n_put, self.n_put + len(self.held.places)))
        self.buffer.put(self.held, chains(serials))
        self.n_put = algorithm_r(self.kept, serials, self.held.chance, self.n_put)
        self.held = None

    @precondition(lambda self: self.held is not None)
    @rule(seed=st.integers(0, 99), data=st.data())
    def reference(self, seed, data):
        free = [serial for i, serial in enumerate(self.kept) if i not in self.held.places.tolist()]
        k = data.draw(st.integers(0, len(free)))
        found = [int(x[0]) if x[0] == -x[1] else None for x in self.buffer.reference(k, rng(seed), self.held).x]
        real = [serial for serial in free if serial is not None]
        assert len(found) == k and set(found) <= {None, *real}, "never a row in use"
        assert sum(serial is not None for serial in found) == min(k, len(real)), "rows of chains come first"
        assert len({s for s in found if s is not None}) == min(k, len(real))

    @rule()
    def save_and_load(self):
        saved = {name: tensor.clone() for name, tensor in self.buffer.state_dict().items()}
        self.buffer = reservoir(reinit=0.2)
        self.buffer.load_state_dict(saved)

    @invariant()
    def it_holds_what_the_algorithm_holds(self):
        rows = self.buffer.rows.rows
        for serial, x, label in zip(self.kept, rows.x, rows.aux["label"], strict=True):
            if serial is not None:
                assert x.tolist() == [serial, -serial] and int(label) == serial % N_CLASSES
        assert self.buffer.filled == sum(serial is not None for serial in self.kept) == int(self.buffer.rows.filled)
        assert self.buffer.n_put == self.n_put


TestReservoirHistory = ReservoirHistory.TestCase
TestReservoirHistory.settings = settings(max_examples=40, stateful_step_count=14, deadline=None)


def survivors(rule=places_of, n_total=60, size=SIZE, batch=7, n_runs=1200):
    """Returns how often [n_total] each chain survived over independent runs of batches."""
    count, draw = torch.zeros(n_total), torch.Generator().manual_seed(0)
    for _ in range(n_runs):
        kept, n_put = torch.full((size,), -1), 0
        while n_put < n_total:
            n = min(batch, n_total - n_put)
            places, stay = rule(torch.rand(n, generator=draw, dtype=torch.float64), n_put, size)
            kept[places[stay]] = torch.arange(n_put, n_put + n)[stay]
            n_put += n
        count[kept] += 1
    return count


def z_scores(count, n_runs=1200, size=SIZE):
    p = size / len(count)
    return (count - n_runs * p) / sqrt(n_runs * p * (1 - p))


def always(chance, n_before, size):
    """A broken double: every chain is taken, as a ring does that forgets the old."""
    places, _ = places_of(chance, n_before, size)
    places = torch.where(places < size, places, (chance * size).long())
    return places, ~torch.triu(places[:, None] == places[None, :], diagonal=1).any(dim=1)


def first_wins(chance, n_before, size):
    """A broken double: of two chains with one place the earlier stays."""
    places, _ = places_of(chance, n_before, size)
    return places, (places < size) & ~torch.tril(places[:, None] == places[None, :], diagonal=-1).any(dim=1)


def test_every_chain_ever_put_survives_with_the_same_probability():
    assert z_scores(survivors()).abs().max() < 4.2


@pytest.mark.parametrize("double", [always, first_wins])
def test_the_law_rejects_rules_that_prefer_some(double):
    assert z_scores(survivors(double)).abs().max() > 4.2


@settings(max_examples=60)
@given(n=st.integers(1, 12), before=st.integers(0, 40), size=st.integers(1, 12), seed=st.integers(0, 999))
def test_a_batch_is_taken_as_if_one_after_the_other(n, before, size, seed):
    chance = torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    places, stay = places_of(chance, before, size)
    kept, expected = [None] * size, [None] * size
    for place, b in zip(places[stay].tolist(), torch.arange(n)[stay].tolist(), strict=True):
        assert kept[place] is None, "no place is written twice"
        kept[place] = b
    for b, u in enumerate(chance.tolist()):
        place = before + b if before + b < size else int(u * (before + b + 1))
        if place < size:
            expected[place] = b
    assert kept == expected


@pytest.mark.parametrize("n", [SIZE + 1, 1000, 10**9])
def test_the_nth_chain_is_taken_with_probability_size_over_n(n):
    edge = SIZE / n
    for u, taken in ((edge * (1 - 1e-6), True), (edge * (1 + 1e-6), False)):
        _, stay = places_of(torch.tensor([u], dtype=torch.float64), n - 1, SIZE)
        assert bool(stay) is taken


@pytest.mark.parametrize("reinit", [0.0, 0.3, 1.0])
def test_chains_restart_at_the_rate_that_was_asked(reinit):
    buffer, restarted, n = reservoir(reinit=reinit), 0, 0
    put(buffer, range(SIZE), 0)
    for seed in range(200):
        _, drawn = buffer.draw(positives(5), rng(seed))
        restarted, n = restarted + int((drawn.x[:, 0] != -drawn.x[:, 1]).sum()), n + 5
    assert abs(restarted - n * reinit) <= 4 * sqrt(n * reinit * (1 - reinit))


def test_a_resumed_history_is_the_uninterrupted_one():
    whole, half = reservoir(reinit=0.2), reservoir(reinit=0.2)
    for step in range(12):
        if step == 6:
            saved = {name: tensor.clone() for name, tensor in half.state_dict().items()}
            half = reservoir(reinit=0.2)
            half.load_state_dict(saved)
        for buffer in (whole, half):
            ticket, drawn = buffer.draw(positives(4), rng(step), frozenset({"label"}))
            buffer.put(ticket, drawn.replace(x=drawn.x + step))
    one, two = whole.state_dict(), half.state_dict()
    assert set(one) == {"x", "aux.label", "moved", "n_put"} and int(one["n_put"]) == 48
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_what_does_not_fit_is_refused():
    buffer = reservoir()
    with pytest.raises(CapabilityError, match="capacity"):
        buffer.draw(positives(SIZE + 1), rng(0))
    ticket, _ = buffer.draw(positives(8), rng(0))
    with pytest.raises(CapabilityError, match="8 of them in use"):
        buffer.reference(3, rng(0), ticket)
    with pytest.raises(CapabilityError, match="label"):
        buffer.put(Ticket(*ticket), chains(range(8)).without("label"))
    assert buffer.n_put == 0, "what was refused was not put"
    with pytest.raises(CapabilityError, match="batch of 64"):
        reservoir(batch_size=64)
    ring = build("buffer", "replay", context=BuildContext(batch_size=1), capacity=SIZE).state_dict()
    for foreign in (ring, {**ring, "n_put": torch.tensor(1)}):
        with pytest.raises(CheckpointError, match="another recipe"):
            buffer.load_state_dict(foreign)


def test_it_is_a_buffer_and_leaves_the_global_stream_alone():
    before = torch.get_rng_state()
    buffer = reservoir(storage="float", place="host")
    put(buffer, range(5), 1)
    assert isinstance(buffer, Buffer) and len(buffer) == SIZE and buffer.filled == 5
    assert torch.equal(before, torch.get_rng_state())

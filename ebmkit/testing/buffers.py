"""What every buffer promises: rows come back whole, once, and only those that were put, as in a dictionary."""

from __future__ import annotations

import torch

from ebmkit.assembly.members import check_members
from ebmkit.point import Point
from ebmkit.protocols.buffer import Buffer
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.histories import (
    CAPACITY,
    FIRST,
    MOST,
    N_LABELS,
    Ledger,
    Round,
    context,
    mark_of,
    play,
    random_history,
)
from ebmkit.testing.law import seeded
from ebmkit.training.checker.buffer import ADVICE
from ebmkit.training.checker.snapshots import changed, of_point
from ebmkit.training.checker.streams import own_stream_only

LENGTHS = (1, 2, 2, 3, 4, 6, 8, 12, 16, 24, 40)
"""Rounds of each history: short ones first, so that what breaks is told of a short one."""


def _built(part: Examined) -> Buffer:
    buffer: Buffer = part.built(context(), capacity=CAPACITY)
    check_members("buffer", part.component.name, buffer)
    return buffer


def _made(part: Examined) -> Buffer:
    """Returns a buffer of few rows with labels; raises NotApplicable where it keeps none."""
    buffer = _built(part)
    if not len(buffer):
        raise NotApplicable("it keeps no rows")
    return buffer


def full(seed: int, *, saves: bool = False) -> Round:
    """Returns a round of as many chains as there may be, all of which are put back."""
    return Round(labels=tuple(i % N_LABELS for i in range(MOST)), match=seed % 2 == 1, saves=saves, seed=seed)


def is_a_dictionary(part: Examined) -> None:
    """Raises CheckFailed where rows are not what was put, whatever happened before."""
    for seed, n_rounds in enumerate(LENGTHS):
        play(lambda: _made(part), random_history(n_rounds, seed))
    ledger = play(lambda: _made(part), [full(seed) for seed in range(24)])
    if not ledger.n_returned:
        raise CheckFailed(
            f"of {ledger.n_put} chains that were put none was drawn again. Keep them, or say len(buffer) = 0."
        )


def draws_from_its_stream(part: Examined) -> None:
    """Raises PluginError where a global random stream is drawn from."""
    with own_stream_only(part.label, ADVICE):
        buffer = _built(part)
        if not len(buffer):
            starts_chains(buffer)
            return
        play(lambda: _made(part), [full(seed) for seed in range(4)])


def starts_chains(buffer: Buffer) -> None:
    """Raises CheckFailed where a buffer without rows does not start one chain for each datum, the same from one stream.

    It may look at the data, and leaves them as they are.
    """
    x = FIRST + torch.arange(MOST * 2.0).view(MOST, 2)
    positive = Point(x=x, aux={"label": torch.arange(MOST) % N_LABELS, "mark": mark_of(x)})
    before = of_point(positive.map(torch.clone))
    token, first = buffer.draw(positive, seeded(0), frozenset({"label"}))
    first = first.map(torch.clone)
    _, again = buffer.draw(positive, seeded(0), frozenset({"label"}))
    if changed(before, of_point(positive)):
        raise CheckFailed("`draw` changed the data that it was handed: return copies.")
    if first.x.shape != positive.x.shape or first.aux.keys() != positive.aux.keys():
        found = f"x {[*first.x.shape]} and {sorted(first.aux)}"
        wanted = f"x {[*positive.x.shape]} and {sorted(positive.aux)}"
        raise CheckFailed(f"`draw` gave {found} where the data are {wanted}: a chain for each datum, coordinates too.")
    if not torch.equal(first.aux["label"], positive.aux["label"]):
        raise CheckFailed("`draw` was asked to match label, and gave chains with other labels than the data.")
    if changed(of_point(first), of_point(again)):
        raise CheckFailed("the same stream gave other chains: take all that is random from `rng`.")
    buffer.put(token, first)


def is_saved_whole(part: Examined) -> None:
    """Raises CheckFailed where a buffer with the saved state of another one goes on otherwise."""
    first, second = (Ledger(lambda: _made(part)) for _ in range(2))
    for ledger in (first, second):
        ledger.play([full(seed) for seed in range(8)])
    for seed in range(8, 16):
        found, wanted = (ledger.round(full(seed, saves=ledger is second)) for ledger in (second, first))
        if second.buffer.filled != first.buffer.filled or changed(of_point(wanted), of_point(found)):
            raise CheckFailed(
                "with the state_dict of another buffer, and its stream, it drew other chains, or counts other rows as "
                "filled: a resumed run would differ. Keep all that `draw` and `put` depend on in state_dict."
            )


def counts_what_is_filled(part: Examined) -> None:
    """Raises CheckFailed where `filled` is not the number of rows that moved chains were put into."""
    ledger = Ledger(lambda: _made(part))
    if ledger.buffer.filled:
        raise CheckFailed(f"filled = {ledger.buffer.filled} before anything was put. It counts rows with moved chains.")
    ledger.round(full(0))
    if not 0 < ledger.buffer.filled <= MOST:
        raise CheckFailed(
            f"filled = {ledger.buffer.filled} after {MOST} chains were put. It counts rows with moved chains."
        )


PROMISES = (
    Promise(name="dictionary", text="rows come back whole, once, and only those put", look=is_a_dictionary),
    Promise(name="stream", text="what is random comes from the stream that it is handed", look=draws_from_its_stream),
    Promise(name="saved", text="its state_dict is all that it depends on", look=is_saved_whole),
    Promise(name="filled", text="filled counts the rows that hold moved chains", look=counts_what_is_filled),
)  # fmt: skip
"""Of every buffer."""

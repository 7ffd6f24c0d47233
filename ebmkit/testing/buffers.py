"""What every buffer promises: rows come back whole, once, and only those that were put, as in a dictionary."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ebmkit.assembly.build import build
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.buffer import Buffer
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.law import seeded
from ebmkit.training.checker.buffer import ADVICE
from ebmkit.training.checker.snapshots import changed, of_point
from ebmkit.training.checker.streams import own_stream_only

CAPACITY, N, ROUNDS, N_LABELS = 24, 6, 60, 4
FIRST = 1000
"""Names of rows that were put begin here; fresh chains have no x as large."""


class Ledger:
    """A dictionary of the rows that were put, beside the buffer; x of a row is its name and its label."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer, self.rng, self.labels = buffer, seeded(31), dict[int, int]()
        self.n_returned = 0

    def round(self, number: int) -> tuple[Any, Point]:
        """Draws, compares with what was put, moves every chain to a new name, and puts them back."""
        positive = Point(x=torch.zeros(N, 2), aux={"label": torch.arange(N) % N_LABELS})
        match = frozenset({"label"} if number % 2 else ())
        token, chains = self.buffer.draw(positive, self.rng, match)
        names = self.known(chains)
        self.n_returned += len(names)
        if match and not torch.equal(chains.aux["label"], positive.aux["label"]):
            raise CheckFailed("chains were drawn to match the labels of the data, and have others. Take the data's.")
        held = token, chains.map(lambda t: t.clone())
        new = torch.arange(N) + FIRST + number * N
        label = chains.aux["label"].clone()
        moved = Point(x=torch.stack([new.float(), label.float()], dim=1), aux={**chains.aux, "label": label})
        self.labels |= dict(zip(new.tolist(), label.tolist(), strict=True))
        self.reference(token, names)
        self.buffer.put(token, moved)
        return held

    def known(self, point: Point) -> list[int]:
        """Returns the names of rows that were put; raises CheckFailed where one is there twice, changed or unknown."""
        names: list[int] = []
        for x, label in zip(point.x.tolist(), point.aux["label"].tolist(), strict=True):
            if abs(x[0]) < FIRST / 2:
                continue
            name = round(x[0])
            if name not in self.labels:
                raise CheckFailed(f"a chain came with x = {x}, which nobody put there. Return rows as they were put.")
            if name in names:
                raise CheckFailed(
                    "one row came twice: two chains of a batch, or two rows of the buffer, are the same. A drawn row "
                    "is moved and returned to its own place."
                )
            if label != self.labels[name] or round(x[1]) != label:
                raise CheckFailed(
                    f"x was put with label {self.labels[name]} and came back with {label}. x and its coordinates are "
                    "one row: index them together, point.map(lambda t: t[rows])."
                )
            names.append(name)
        return names

    def reference(self, token: Any, drawn: list[int]) -> None:
        """Looks at the other rows, all of them: none is drawn, none is there twice."""
        k = len(self.buffer) - N
        others = self.known(self.buffer.reference(k, self.rng, exclude=token))
        if set(others) & set(drawn):
            raise CheckFailed("`reference` returned rows that the token holds. Leave out those in `exclude`.")


def _made(part: Examined) -> Buffer:
    """Returns a buffer of few rows with labels; raises NotApplicable where it keeps none."""
    context = BuildContext(event_shape=(2,), n_classes=N_LABELS, batch_size=N, n_data=100)
    label = build("coordinate", "label", context=context)
    buffer: Buffer = part.built(context.replace(coordinates=(label,)), capacity=CAPACITY)
    if not len(buffer):
        raise NotApplicable("it keeps no rows")
    return buffer


def is_a_dictionary(part: Examined) -> None:
    """Raises CheckFailed where rows are not what was put."""
    ledger = Ledger(_made(part))
    for number in range(ROUNDS):
        ledger.round(number)
    if not ledger.n_returned:
        raise CheckFailed(
            f"of {ROUNDS * N} chains that were put none was drawn again. Keep them, or say len(buffer) = 0."
        )


def draws_from_its_stream(part: Examined) -> None:
    """Raises PluginError where a global random stream is drawn from."""
    with own_stream_only(part.label, ADVICE):
        ledger = Ledger(_made(part))
        for number in range(4):
            ledger.round(number)


def is_saved_whole(part: Examined) -> None:
    """Raises CheckFailed where a buffer with the saved state of another one goes on otherwise."""
    first, second = Ledger(_made(part)), _made(part)
    for number in range(8):
        first.round(number)
    second.load_state_dict({name: value.clone() for name, value in first.buffer.state_dict().items()})
    twin = Ledger(second)
    twin.labels, twin.rng = dict(first.labels), seeded(32)
    first.rng = seeded(32)
    for number in range(8, 16):
        found, wanted = twin.round(number)[1], first.round(number)[1]
        if second.filled != first.buffer.filled or changed(_of(wanted), _of(found)):
            raise CheckFailed(
                "with the state_dict of another buffer, and its stream, it drew other chains, or counts other rows as "
                "filled: a resumed run would differ. Keep all that `draw` and `put` depend on in state_dict."
            )


def _of(point: Point) -> dict[str, Tensor]:
    return of_point(point)


def counts_what_is_filled(part: Examined) -> None:
    """Raises CheckFailed where `filled` is not the number of rows that moved chains were put into."""
    ledger = Ledger(_made(part))
    if ledger.buffer.filled:
        raise CheckFailed(f"filled = {ledger.buffer.filled} before anything was put. It counts rows with moved chains.")
    ledger.round(0)
    if not 0 < ledger.buffer.filled <= N:
        raise CheckFailed(
            f"filled = {ledger.buffer.filled} after {N} chains were put. It counts rows with moved chains."
        )


PROMISES = (
    Promise(name="dictionary", text="rows come back whole, once, and only those put", look=is_a_dictionary),
    Promise(name="stream", text="what is random comes from the stream that it is handed", look=draws_from_its_stream),
    Promise(name="saved", text="its state_dict is all that it depends on", look=is_saved_whole),
    Promise(name="filled", text="filled counts the rows that hold moved chains", look=counts_what_is_filled),
)  # fmt: skip
"""Of every buffer."""

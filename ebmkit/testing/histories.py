"""What may happen to a buffer, and a dictionary of its rows that goes along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from ebmkit.assembly.build import build
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, Point
from ebmkit.protocols.buffer import Buffer
from ebmkit.testing.check import CheckFailed
from ebmkit.testing.law import seeded

CAPACITY, MOST, N_LABELS = 24, 8, 4
FIRST = 1000
"""Names of rows that were put begin here; fresh chains have no x as large."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One visit to a buffer: chains are drawn, perhaps others are looked at, and the moved chains are put back.

    Attributes:
        labels: of the data, one a chain: 0 to `N_LABELS` − 1, `MOST` of them at most.
        match: the chains take the labels of the data.
        puts: they are put back; a step that diverged leaves that out.
        share: of the other rows, that are asked for as a reference.
        saves: another buffer takes the rows over, before the chains are drawn.
        seed: of the stream of this round.
    """

    labels: tuple[int, ...]
    match: bool = False
    puts: bool = True
    share: float = 1.0
    saves: bool = False
    seed: int = 0


History = Sequence[Round]


@dataclass(frozen=True, slots=True)
class Mark:
    """A real-valued coordinate that follows from x, so that a row that lost its own is known."""

    name: str = "mark"
    noises_x: bool = False
    n_values: int | None = None
    leaves_data: bool = False

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        """Returns the point with its mark."""
        return point.with_aux(mark=mark_of(point.x))

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        """Returns fresh chains with their marks."""
        return point.with_aux(mark=mark_of(point.x))

    def clean(self, point: Point) -> Point:
        """Returns the point."""
        return point

    def is_data(self, point: Point) -> Tensor:
        """Returns that every row [B] is one."""
        return torch.ones(len(point), dtype=torch.bool)

    def signal(self, point: Point) -> Tensor:
        """Returns ones [B]."""
        return torch.ones(len(point))

    def to_data(self, point: Point) -> Tensor:
        """Returns x."""
        return point.x


def mark_of(x: Tensor) -> Tensor:
    """Returns the mark [B, 2] of x [B, 2]."""
    return torch.stack([x[:, 0] - x[:, 1], 2 * x[:, 0]], dim=1)


def context() -> BuildContext:
    """Returns what a buffer of points of the plane with a label and a mark is built with."""
    bare = BuildContext(event_shape=(2,), n_classes=N_LABELS, batch_size=MOST, n_data=100)
    return bare.replace(coordinates=(build("coordinate", "label", context=bare), Mark()))


def random_history(n_rounds: int, seed: int) -> tuple[Round, ...]:
    """Returns rounds as they fall, the same ones for the same seed."""
    rng = seeded(seed)

    def number(below: int) -> int:
        return int(torch.randint(below, (), generator=rng))

    return tuple(
        Round(
            labels=tuple(number(N_LABELS) for _ in range(1 + number(MOST))),
            match=number(2) == 1,
            puts=number(8) > 0,
            share=number(5) / 4,
            saves=number(6) == 0,
            seed=number(1000),
        )
        for _ in range(n_rounds)
    )


class Ledger:
    """A dictionary of the rows that were put, beside a buffer; x of a row is its name and its label."""

    def __init__(self, make: Callable[[], Buffer]) -> None:
        self.make, self.buffer = make, make()
        self.labels: dict[int, int] = {}
        self.n_rounds = self.n_put = self.n_returned = 0

    def play(self, history: History) -> None:
        """Plays a history; raises CheckFailed where the buffer is no dictionary."""
        for one in history:
            try:
                self.round(one)
            except CheckFailed as error:
                raise CheckFailed(f"in round {self.n_rounds + 1} of draw and put, {error}") from error

    def round(self, one: Round) -> Point:
        """Draws, compares with what was put, gives every chain a new name, puts them back; returns what was drawn."""
        if one.saves:
            self.reopen()
        rng, n = seeded(one.seed), len(one.labels)
        positive = Point(x=torch.zeros(n, 2), aux={"label": torch.tensor(one.labels), "mark": torch.zeros(n, 2)})
        token, chains = self.buffer.draw(positive, rng, frozenset({"label"} if one.match else ()))
        names = self.known(chains)
        self.n_returned += len(names)
        if len(chains) != n:
            raise CheckFailed(f"{n} chains were asked for, and {len(chains)} came. Return one for each datum.")
        if one.match and not torch.equal(chains.aux["label"], positive.aux["label"]):
            raise CheckFailed("chains were drawn to match the labels of the data, and have others. Take the data's.")
        drawn = chains.map(lambda t: t.clone())
        self.reference(token, n, names, one.share, rng)
        if one.puts:
            self.buffer.put(token, self.moved(chains))
        self.n_rounds += 1
        return drawn

    def moved(self, chains: Point) -> Point:
        """Returns the chains under new names, and writes these down."""
        label, new = chains.aux["label"].clone(), FIRST + self.n_put + torch.arange(len(chains))
        x = torch.stack([new.float(), label.float()], dim=1)
        self.labels |= dict(zip(new.tolist(), label.tolist(), strict=True))
        self.n_put += len(chains)
        return Point(x=x, aux={**chains.aux, "label": label, "mark": mark_of(x)})

    def known(self, point: Point) -> list[int]:
        """Returns the names of rows that were put; raises CheckFailed where one is there twice, changed or unknown."""
        names: list[int] = []
        for x, label, mark in zip(point.x, point.aux["label"].tolist(), point.aux["mark"], strict=True):
            if not torch.equal(mark, mark_of(x[None])[0]):
                raise CheckFailed(f"x came back with the 'mark' of another row. {ONE_ROW}")
            if abs(float(x[0])) < FIRST / 2:
                continue
            name = round(float(x[0]))
            if name not in self.labels:
                raise CheckFailed(f"a chain came with x = {x.tolist()}, which nobody put there. Return rows as put.")
            if name in names:
                raise CheckFailed(
                    "one row came twice: two chains of a batch, or two rows of the buffer, are the same. A drawn row "
                    "is moved and returned to its own place."
                )
            if label != self.labels[name] or round(float(x[1])) != label:
                raise CheckFailed(f"x was put with label {self.labels[name]} and came back with {label}. {ONE_ROW}")
            names.append(name)
        return names

    def reference(self, token: Any, n: int, drawn: list[int], share: float, rng: Generator) -> None:
        """Looks at other rows: none is drawn, none is there twice."""
        k = int(share * (len(self.buffer) - n))
        if k <= 0:
            return
        found = self.buffer.reference(k, rng, exclude=token)
        if len(found) != k:
            raise CheckFailed(f"{k} reference rows were asked for, and {len(found)} came. Return as many.")
        if set(self.known(found)) & set(drawn):
            raise CheckFailed("`reference` returned rows that the token holds. Leave out those in `exclude`.")

    def reopen(self) -> None:
        """Goes on with another buffer that took the rows over."""
        saved = {name: value.clone() for name, value in self.buffer.state_dict().items()}
        self.buffer = self.make()
        self.buffer.load_state_dict(saved)


ONE_ROW = "x and its coordinates are one row: index them together, point.map(lambda t: t[rows])."


def play(make: Callable[[], Buffer], history: History) -> Ledger:
    """Plays a history on a new buffer, and returns the dictionary that went along.

    Args:
        make: builds a buffer in `context()`, of at least `MOST` rows.
        history: what happens to it.

    Raises:
        CheckFailed: a row came back changed, twice or out of nowhere.
    """
    ledger = Ledger(make)
    ledger.play(history)
    return ledger

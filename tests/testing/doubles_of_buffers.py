"""Buffers that break one promise each, and a right one beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from ebmkit import BuildContext, CapabilityError, Component, Point
from ebmkit.buffers.declarations import ReplayConfig
from ebmkit.buffers.replay import Replay

HERE = "tests.testing.doubles_of_buffers"


class Right:
    """The replay buffer, wrapped."""

    def __init__(self, config: ReplayConfig, context: BuildContext) -> None:
        self.rows = Replay(config, context)

    @property
    def filled(self) -> int:
        return self.rows.filled

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        return self.rows.draw(positive, rng, match)

    def put(self, token: Any, point: Point) -> None:
        self.rows.put(token, point)

    def reference(self, k: int, rng: Generator, exclude: Any = None) -> Point:
        return self.rows.reference(k, rng, exclude)

    def __len__(self) -> int:
        return len(self.rows)

    def state_dict(self) -> dict[str, Tensor]:
        return self.rows.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.rows.load_state_dict(state)


class Twice(Right):
    """Every chain goes to its own place and to the next one."""

    def put(self, token: Any, point: Point) -> None:
        self.rows.put((token + 1) % len(self), point)
        self.rows.put(token, point)


class Torn(Right):
    """x and label of a row are stored in different places."""

    def put(self, token: Any, point: Point) -> None:
        self.rows.put(token, point.with_aux(label=point.aux["label"].roll(1)))


class Mixed(Right):
    """Chains take the labels of the data, and are continued under them."""

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        token, chains = self.rows.draw(positive, rng)
        return token, chains.with_aux(**{name: positive.aux[name] for name in match})


class Forgetful(Right):
    def put(self, token: Any, point: Point) -> None:
        """Keeps nothing."""


class Busy(Right):
    """Its reference holds rows that are in use."""

    def reference(self, k: int, rng: Generator, exclude: Any = None) -> Point:
        return self.rows.reference(k, rng, None)


class Global(Right):
    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        return self.rows.draw(positive, Generator().manual_seed(int(torch.randint(1000, ()))), match)


class Turning(Right):
    """Where it stands is not saved."""

    turn = 0

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        self.turn += 1
        for _ in range(self.turn):
            torch.rand((), generator=rng)
        return self.rows.draw(positive, rng, match)


class Amnesiac(Right):
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes nothing."""


class Deaf(Right):
    """Labels of the data are not matched."""

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        return self.rows.draw(positive, rng)


class Unmarked(Right):
    """The label goes along with x, and another coordinate does not."""

    def put(self, token: Any, point: Point) -> None:
        self.rows.put(token, point.with_aux(mark=point.aux["mark"].roll(1, dims=0)))


class Shaken(Right):
    """Rows are moved while they lie there."""

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        token, chains = self.rows.draw(positive, rng, match)
        x = chains.x + 10_000
        return token, chains.replace(x=x).with_aux(mark=torch.stack([x[:, 0] - x[:, 1], 2 * x[:, 0]], dim=1))


class Meagre(Right):
    """Its reference is never more than two rows."""

    def reference(self, k: int, rng: Generator, exclude: Any = None) -> Point:
        return self.rows.reference(min(k, 2), rng, exclude)


class Idle(Right):
    """It gives one chain less than there are data."""

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        token, chains = self.rows.draw(positive, rng, match)
        return token[1:], chains.map(lambda t: t[1:])


class Full(Right):
    @property
    def filled(self) -> int:
        return len(self)


class AtData:
    """No rows: chains start at data."""

    filled = 0

    def __init__(self, config: ReplayConfig, context: BuildContext) -> None:
        """Takes nothing."""

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        return None, positive.map(lambda t: t.clone())

    def put(self, token: Any, point: Point) -> None:
        """Keeps nothing."""

    def reference(self, k: int, rng: Generator, exclude: Any = None) -> Point:
        raise CapabilityError("There are no rows.")

    def __len__(self) -> int:
        return 0

    def state_dict(self) -> dict[str, Tensor]:
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes nothing."""


class Few(AtData):
    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        return None, positive.map(lambda t: t[1:].clone())


class Swapped(AtData):
    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        return None, positive.with_aux(label=positive.aux["label"].roll(1))


class Greedy(AtData):
    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        positive.x.add_(1)
        return None, positive.map(lambda t: t.clone())


class Restless(AtData):
    n_draws = 0

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        self.n_draws += 1
        return None, positive.replace(x=positive.x + self.n_draws)


build_at_data, build_few, build_swapped, build_greedy, build_restless = AtData, Few, Swapped, Greedy, Restless
build_right, build_twice, build_torn, build_mixed = Right, Twice, Torn, Mixed
build_forgetful, build_busy, build_global, build_turning, build_full = Forgetful, Busy, Global, Turning, Full
build_amnesiac, build_deaf, build_unmarked, build_shaken = Amnesiac, Deaf, Unmarked, Shaken
build_meagre, build_idle = Meagre, Idle


def build_nothing(config: ReplayConfig, context: BuildContext) -> None:
    return None


def part(name: str) -> Component:
    build = f"{HERE}:build_{name}"
    return Component(kind="buffer", name=f"{name}-double", config=ReplayConfig, build=build, summary="a double")


RIGHT = (part("right"),)
WRONG: tuple[tuple[Component, str, str], ...] = (
    (part("twice"), "dictionary", r"in round \d of draw and put, one row came twice.*returned to its own place"),
    (part("nothing"), "dictionary", "has no `filled`.*add it to the class"),
    (part("torn"), "dictionary", "was put with label .* and came back with .*index them together"),
    (part("mixed"), "dictionary", "was put with label .* and came back with .*index them together"),
    (part("unmarked"), "dictionary", "the 'mark' of another row.*index them together"),
    (part("deaf"), "dictionary", "to match the labels of the data, and have others. Take the data's"),
    (part("shaken"), "dictionary", "which nobody put there. Return rows as put"),
    (part("meagre"), "dictionary", "reference rows were asked for, and 2 came"),
    (part("idle"), "dictionary", "chains were asked for, and .* came. Return one for each datum"),
    (part("forgetful"), "dictionary", "none was drawn again. Keep them"),
    (part("busy"), "dictionary", "rows that the token holds. Leave out those in `exclude`"),
    (part("global"), "stream", "global random stream.*generator"),
    (part("few"), "stream", "a chain for each datum, coordinates too"),
    (part("swapped"), "stream", "to match label, and gave chains with other labels"),
    (part("greedy"), "stream", "changed the data that it was handed: return copies"),
    (part("restless"), "stream", "the same stream gave other chains"),
    (part("turning"), "saved", "a resumed run would differ.*in state_dict"),
    (part("amnesiac"), "saved", "a resumed run would differ.*in state_dict"),
    (part("full"), "filled", "before anything was put. It counts rows with moved chains"),
)
"""Double, the promise that it breaks, and what the message must say."""

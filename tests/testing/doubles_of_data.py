"""Data sets and coordinates that break one promise each, and right ones beside them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from ebmkit import Batch, BuildContext, Component, DataError, NoConfig, Point

HERE = "tests.testing.doubles_of_data"


class Squares:
    """Uniform points of the unit square; `high` is their side."""

    event_shape: tuple[int, ...] = (2,)
    value_range = (0.0, 1.0)
    n_classes = 0
    class_names: tuple[str, ...] = ()
    x_values = "real"

    def __init__(self, config: NoConfig, context: BuildContext, high: float = 1.0) -> None:
        self.x = high * torch.rand(500, 2, generator=Generator().manual_seed(0))

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        return Batch(x=self.x[rows])

    def split(self, name: str) -> Any:
        if name != "train":
            raise DataError(f"There is no part '{name}': train.")
        return self


def build_square(config: NoConfig, context: BuildContext) -> Squares:
    return Squares(config, context)


def build_false_range(config: NoConfig, context: BuildContext) -> Squares:
    return Squares(config, context, high=1.5)


class Restless(Squares):
    """Its noise is a global one."""

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        return Batch(x=(self.x[rows] + 0.01 * torch.randn(len(rows), 2)).clamp(0, 1))


class Lent(Squares):
    """Rows in order are a part of the data themselves."""

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        x = self.x[: len(rows)] if torch.equal(rows, torch.arange(len(rows))) else self.x[rows]
        return Batch(x=x)


class Ordered(Squares):
    """Labels are those of the rows in their own order."""

    n_classes = 500

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        return Batch(x=self.x[rows], y=rows.sort().values)


class Short(Squares):
    """It leaves out every datum that it does not like."""

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        x = self.x[rows]
        return Batch(x=x[x[:, 0] < 0.9])


class Misnamed(Squares):
    n_classes = 2
    class_names = ("one",)

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        return Batch(x=self.x[rows], y=rows % 2)


class Uncounted(Squares):
    """Labels begin at 1."""

    n_classes = 2

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        return Batch(x=self.x[rows], y=1 + rows % 2)


class Torn(Squares):
    """Its test part is of another range."""

    def split(self, name: str) -> Any:
        if name not in ("train", "test"):
            raise DataError(f"There is no part '{name}': train, test.")
        other = Torn(NoConfig(), BuildContext())
        other.value_range = (0.0, 1.0) if name == "train" else (-1.0, 1.0)
        return other


class Agreeable(Squares):
    """Every part that is asked for is there."""

    def split(self, name: str) -> Any:
        return self


class Sign:
    """A coordinate of two values that changes nothing."""

    noises_x = False
    n_values = 2
    leaves_data = False

    def __init__(self, name: str) -> None:
        self.name = name

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        return self.prior(len(point), point, rng)

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        return point.with_aux(**{self.name: torch.randint(2, (n,), generator=rng)})

    def clean(self, point: Point) -> Point:
        return point

    def is_data(self, point: Point) -> Tensor:
        return torch.ones(len(point), dtype=torch.bool)

    def signal(self, point: Point) -> Tensor:
        return torch.ones(len(point))

    def to_data(self, point: Point) -> Tensor:
        return point.x


class Shifting(Sign):
    """Lifting changes x, and it says that it does not."""

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        return super().lift(batch, point.replace(x=point.x + 1), rng)


class Beyond(Sign):
    """Fresh chains have a value that there is not."""

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        return Sign.prior(self, len(point), point, rng)

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        return point.with_aux(**{self.name: torch.full((n,), 2)})


class Unclean(Sign):
    """A cleaned row is no datum by its own word."""

    leaves_data = True

    def is_data(self, point: Point) -> Tensor:
        return point.aux[self.name] == 0


class Idle(Sign):
    """It says that it noises x."""

    noises_x = True
    leaves_data = True

    def is_data(self, point: Point) -> Tensor:
        return point.aux[self.name] == 0

    def clean(self, point: Point) -> Point:
        return point.with_aux(**{self.name: torch.zeros(len(point), dtype=torch.int64)})


class Sorted(Sign):
    """A coordinate that follows from x, in the order of its values."""

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        value = (batch.x.flatten(1)[:, 0] > 0).long()
        return point.with_aux(**{self.name: value.sort().values})


class Content(Sign):
    """It says that it leaves data, and no row of it does."""

    leaves_data = True


class Straying(Sign):
    """Chains of a generation start away from data, and it says that none does."""

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        value = torch.full((n,), int(purpose == "generation"))
        return point.with_aux(**{self.name: value})

    def is_data(self, point: Point) -> Tensor:
        return point.aux[self.name] == 0


class Faint(Sign):
    """Nothing is left of a datum, by its own word."""

    def signal(self, point: Point) -> Tensor:
        return torch.zeros(len(point))


def build_idle(config: NoConfig, context: BuildContext) -> Sign:
    return Idle("idle-double")


def build_sorted(config: NoConfig, context: BuildContext) -> Sign:
    return Sorted("sorted-double")


def build_content(config: NoConfig, context: BuildContext) -> Sign:
    return Content("content-double")


def build_straying(config: NoConfig, context: BuildContext) -> Sign:
    return Straying("straying-double")


def build_faint(config: NoConfig, context: BuildContext) -> Sign:
    return Faint("faint-double")


def build_sign(config: NoConfig, context: BuildContext) -> Sign:
    return Sign("sign-double")


def build_shifting(config: NoConfig, context: BuildContext) -> Sign:
    return Shifting("shifting-double")


def build_beyond(config: NoConfig, context: BuildContext) -> Sign:
    return Beyond("beyond-double")


def build_unclean(config: NoConfig, context: BuildContext) -> Sign:
    return Unclean("unclean-double")


build_restless, build_agreeable, build_lent, build_ordered = Restless, Agreeable, Lent, Ordered
build_short, build_misnamed, build_uncounted, build_torn = Short, Misnamed, Uncounted, Torn


def part(kind: str, name: str) -> Component:
    build = f"{HERE}:build_{name.replace('-', '_')}"
    gives = ("point.discrete",) if kind == "coordinate" else ()
    return Component(kind=kind, name=f"{name}-double", build=build, summary="a double", gives=gives)


RIGHT = (part("dataset", "square"), part("coordinate", "sign"))
WRONG: tuple[tuple[Component, str, str], ...] = (
    (part("dataset", "false-range"), "declared", r"values in \[0, 1\], but gave x in .*declare the right value_range"),
    (part("dataset", "short"), "declared", "rows were asked for, and .* came. Return one datum a row"),
    (part("dataset", "misnamed"), "declared", "names 1 classes and says n_classes = 2. Name each"),
    (part("dataset", "uncounted"), "declared", "labels are 0 to 1, but gave labels from 1 to 2. Count them from 0"),
    (part("dataset", "lent"), "repeatable", "wrote into a batch changed the data themselves. Give a copy"),
    (part("dataset", "ordered"), "rows", "in another order were other data, or had other labels"),
    (part("dataset", "torn"), "split", "'test' has another shape or range than the whole. Make them one set"),
    (part("dataset", "restless"), "repeatable", "global random stream"),
    (part("dataset", "agreeable"), "split", "Raise DataError, and name the parts"),
    (part("coordinate", "shifting"), "lift", "changed x and says noises_x = False"),
    (part("coordinate", "beyond"), "prior", "values from 2 to 2, but says n_values = 2"),
    (part("coordinate", "idle"), "lift", "says noises_x = True, and lifting changed no x. Say False"),
    (part("coordinate", "sorted"), "rows", "in another order.*comes from row b"),
    (part("coordinate", "content"), "away", "none of 400 fresh chains is away from data.*Say False"),
    (part("coordinate", "straying"), "away", "leaves_data = False, and fresh chains are away.*Say True"),
    (part("coordinate", "faint"), "clean", "signal is 0 where a row is a datum"),
    (part("coordinate", "unclean"), "clean", "away from data by is_data"),
)
"""Double, the promise that it breaks, and what the message must say."""

"""Small parts that do what they should, each with one place where a test can plant a mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from ebmkit import Batch, BuildContext, Component, Point, Requires, SamplerInfo, SamplerState, SamplerTraits, seeded
from ebmkit.rng import stream

N = 16
"""Rows of a buffer."""


class Net(nn.Module):
    """A small network whose answer a test can replace; `extra` are further layers."""

    def __init__(
        self, context: BuildContext, answer: Callable[[Any, Point], Any] | None = None, **extra: nn.Module
    ) -> None:
        super().__init__()
        with seeded(context.seed):
            self.inner = nn.Linear(2, 4)
            self.outer = nn.Linear(4, 1)
        for name, layer in extra.items():
            self.add_module(name, layer)
        self.answer = answer or Net.plain
        self.abilities = frozenset({"energy"})

    def plain(self, point: Point) -> Tensor:
        energies: Tensor = self.outer(torch.tanh(self.inner(point.x)))[:, 0]
        return energies

    def forward(self, point: Point) -> Any:
        return self.answer(self, point)


class Able(Net):
    """A network that declares an ability, and answers it as a test says; one of a label gives its two levels."""

    def __init__(self, context: BuildContext, ability: str, value: Callable[[Any, Point], Any] | None) -> None:
        super().__init__(context, Able.labelled if ability.startswith("levels.") else None)
        self.abilities = frozenset({"energy", ability})
        self.ability, self.value = ability, value

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        values = (
            {"energy": self} if self.value is None else {"energy": self, self.ability: lambda p: self.value(self, p)}
        )
        return {name: values[name](point) for name in abilities}

    def labelled(self, point: Point) -> Tensor:
        return self.plain(point) * (1 + point.aux["label"])


class Mover:
    """A sampler of one noisy step; `step` of a test takes (self, view, state) and returns the point or all of it."""

    def __init__(self, move: Callable[..., Any] | None = None, *, rate: Any = None, **traits: Any) -> None:
        self.traits = SamplerTraits(**traits)
        self.move, self.rate, self.calls = move or Mover.plain, rate, 0

    def plain(self, view: Any, state: SamplerState) -> Point:
        noise = torch.randn(state.point.x.shape, generator=state.rng)
        return state.point.replace(x=state.point.x - 0.01 * view.gradient(state.point) + 0.1 * noise)

    def init(self, point: Point, rng: Generator, tuning: Any = None) -> SamplerState:
        return SamplerState(point=point, rng=rng, tuning=tuning or {"step_size": torch.tensor(0.1)})

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> Any:
        self.calls += 1
        point = self.move(self, view, state)
        if not isinstance(point, Point):
            return point
        rate = torch.ones(len(point)) if self.rate is None else self.rate(len(point))
        info = SamplerInfo(start=state.point, accept_rate=rate, n_moves=1, n_gradients=1)
        return SamplerState(point=point, rng=state.rng, tuning=state.tuning), info


class Walled(Mover):
    """The same, with declared bounds."""

    bounds = (-1.0, 1.0)


class Rows:
    """A buffer of N rows of x, and labels where the run has them."""

    def __init__(
        self,
        context: BuildContext,
        drawn: Callable[[Point, Generator], Point] = lambda point, rng: point,
        *,
        keeps: bool = True,
        saves: bool = True,
        matches: bool = True,
    ) -> None:
        rng = stream(context.seed, 0, "rows")
        self.x = torch.rand(N, *context.event_shape, generator=rng)
        self.drawn, self.keeps, self.saves, self.matches, self.filled = drawn, keeps, saves, matches, 0

    def __len__(self) -> int:
        return N

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        places = torch.randperm(N, generator=rng)[: len(positive)]
        aux = {name: value if self.matches else 1 - value for name, value in positive.aux.items()}
        return places, self.drawn(Point(x=self.x[places], aux=aux), rng)

    def put(self, token: Tensor, point: Point) -> None:
        if self.keeps:
            self.x[token] = point.x
        self.filled = N

    def reference(self, k: int, rng: Generator, exclude: Any = None) -> Point:
        return Point(x=self.x[:k])

    def state_dict(self) -> dict[str, Tensor]:
        return {"x": self.x}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        if self.saves:
            self.x = state["x"].clone()


class Judge(nn.Module):
    """An objective with a weight of its own; `score` of a test takes (self, energy, phases) and returns losses."""

    def __init__(
        self,
        context: BuildContext,
        score: Callable[..., Any] | None = None,
        others: Sequence[Any] = (),
        **needs: Any,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.score, self.requires = score or Judge.plain, Requires(**needs)
        self.others = others  # in a list: they are no submodules

    def plain(self, energy: Any, phases: Any) -> dict[str, Tensor]:
        gap = phases.evaluate("positive").mean() - phases.evaluate("negative").mean()
        return {"gap": gap * self.weight}

    def losses(self, energy: Any, phases: Any) -> Any:
        return self.score(self, energy, phases)


class Sides:
    """A coordinate of two values: on which side x is; `lifted` of a test changes what was lifted."""

    name, noises_x, n_values, leaves_data = "side", False, 2, False

    def __init__(self, lifted: Callable[[Point], Any] = lambda point: point, **says: Any) -> None:
        self.lifted = lifted
        for name, value in says.items():
            setattr(self, name, value)

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Any:
        return self.lifted(point.with_aux(side=(batch.x[:, 0] > 0).long()))

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Any:
        return point.with_aux(side=torch.randint(2, (n,), generator=rng))

    def clean(self, point: Point) -> Point:
        return point

    def is_data(self, point: Point) -> Tensor:
        return torch.ones(len(point), dtype=torch.bool)

    def signal(self, point: Point) -> Tensor:
        return torch.ones(len(point))

    def to_data(self, point: Point) -> Tensor:
        return point.x


class Table:
    """A data set of 32 points of the unit square in two classes; `given` of a test changes each batch."""

    event_shape, value_range, x_values, n_classes, class_names = (2,), (0.0, 1.0), "real", 2, ()

    def __init__(self, given: Callable[[Batch], Batch] = lambda batch: batch, **says: Any) -> None:
        self.given = given
        for name, value in says.items():
            setattr(self, name, value)

    def __len__(self) -> int:
        return 32

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        x = torch.rand(len(rows), 2, generator=rng)
        return self.given(Batch(x=x, y=(x[:, 0] > 0.5).long()))

    def split(self, name: str) -> Table:
        return self


def component(kind: str, build: str, name: str = "planted") -> Component:
    """Returns the declaration of a planted part."""
    more: dict[str, Any] = {"traits": lambda config, selection: TRAITS[-1]} if kind == "sampler" else {}
    gives = {"energy": ("energy.labels",), "coordinate": ("point.discrete",)}.get(kind, ())
    return Component(kind=kind, name=name, build=build, summary="planted", gives=gives, **more)


TRAITS = [SamplerTraits()]
"""Traits of the sampler that is planted."""

"""Chains come down a coordinate that no sampler moves: transitions at each value, then the next, until data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

import ebmkit
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.point import Batch, Point
from ebmkit.sampling.generate import generate
from ebmkit.sampling.plan import plan_of

N = 4


class Height:
    """A level from 3 to 0; each value down halves x and counts itself in it."""

    name, n_values, noises_x, leaves_data = "height", N, True, True

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        return point.with_aux(height=torch.randint(N, (len(point),), generator=rng))

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        last = torch.full((n,), N - 1)
        return point.with_aux(height=last if purpose == "generation" else torch.randint(N, (n,), generator=rng))

    def clean(self, point: Point) -> Point:
        return point.with_aux(height=torch.zeros(len(point), dtype=torch.int64))

    def is_data(self, point: Point) -> Tensor:
        return point.aux["height"] == 0

    def signal(self, point: Point) -> Tensor:
        return torch.ones(len(point))

    def to_data(self, point: Point) -> Tensor:
        return point.x


class Descending(Height):
    def descend(self, point: Point) -> Point:
        return point.replace(x=point.x + 100).with_aux(height=point.aux["height"] - 1)


class Well(torch.nn.Module):
    """E = k‖x − 100·(3 − height)‖²/2: at each value the well lies where chains arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.k = torch.nn.Parameter(torch.ones(()))

    def forward(self, point: Point) -> Tensor:
        centre = 100.0 * (N - 1 - point.aux["height"])[:, None]
        return self.k * (point.x - centre).square().sum(dim=1) / 2


def model_of(coordinate: Any, transitions: int | None = None) -> Any:
    x = torch.randn(40, 2, generator=Generator().manual_seed(0))
    sampler = ebmkit.samplers.Mala(moves=5, step_size=0.8, adapt="off", step_size_per="")
    made = ebmkit.fit(
        Well(), x, sampler=sampler, coordinate=coordinate, buffer="none", steps=1, batch_size=8, progress=False
    )
    return replace(made, recipe=made.recipe.with_table("sample", transitions=transitions)) if transitions else made


@pytest.mark.parametrize("transitions", [None, 3])
def test_chains_make_their_transitions_at_each_value_and_end_at_data(transitions: int | None) -> None:
    model, seen = model_of(Descending(), transitions), list[tuple[int, int]]()
    made = generate(model, 200, watch=lambda moment: seen.append((moment.transition, moment.transitions)))
    each = transitions or 1
    assert made.plan.values == N - 1 and made.transitions == 3 * each and made.n_gradients == 3 * each * 6
    assert seen == [(i, 3 * each) for i in range(1, 3 * each + 1)]
    assert torch.equal(made.aux["height"], torch.zeros(200, dtype=torch.int64)) and not made.notes
    assert abs(float(made.x.mean()) - 300) < 0.5 and 0.8 < float(made.x.std()) < 1.2
    assert made.accept_rate is not None and 0.3 < made.accept_rate <= 1


def test_a_coordinate_that_does_not_say_how_to_come_down_is_refused_as_before() -> None:
    with pytest.raises(CapabilityError, match="no part of the sampler moves height"):
        generate(model_of(Height()), 3)


def test_a_value_that_is_given_stays_and_visits_have_no_effect() -> None:
    model = model_of(Descending())
    made = generate(model, 3, given={"height": "2"})
    assert made.aux["height"].tolist() == [2, 2, 2] and not made.plan.values
    for asked in ({"visits": 2}, {"plain_transitions": 1}):
        with pytest.raises(RecipeError, match="has no effect: chains come down height to data"):
            plan_of(model, (), **asked)

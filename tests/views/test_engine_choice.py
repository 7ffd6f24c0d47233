"""Laws of the choice of an engine: the fastest measured, never one that could not pay, never a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.rng import stream
from ebmkit.views import engine_choice as choice
from ebmkit.views.engine_choice import choose_engine
from ebmkit.views.view import CallableView, view

POINT = Point(x=torch.zeros(8, 2))
LONG, SHORT = 10**9, 10


def quadratic(point: Point) -> Tensor:
    return point.x.square().sum(dim=1) / 2


class Side:
    """A coordinate of two values, which the energy does not see."""

    name, n_values, noises_x, leaves_data = "side", 2, False, False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what a gradient takes, milliseconds, by engine."""

    def set_to(**cost: float) -> None:
        def measured(views: dict[str, Any], point: Point, rounds: int = 5) -> dict[str, float]:
            return {name: cost[name] for name in views}

        monkeypatch.setattr(choice, "_milliseconds", measured)

    return set_to


def make(made: list[str], fails: str = "") -> Callable[[str], CallableView]:
    def by(engine: str) -> CallableView:
        made.append(engine)
        if engine == fails:
            raise CapabilityError("no compiler is here.")
        return view(quadratic)

    return by


def chosen(made: list[str], steps: int, fails: str = "", moves: int = 5) -> tuple[CallableView, choice.Choice]:
    sampler = build("sampler", "sgld", context=BuildContext(event_shape=(2,)), moves=moves)
    return choose_engine(make(made, fails), sampler, POINT, stream(0, 0, "engine"), steps=steps)


def test_the_faster_engine_is_taken_with_its_figures(clock: Callable[..., None]) -> None:
    clock(eager=10.0, compile=2.5)
    _, found = chosen([], LONG)
    assert found.engine == "compile" and found.milliseconds == {"eager": 10.0, "compile": 2.5}
    assert "eager 10 ms" in found.reason and "compile 2.5 ms" in found.reason


@pytest.mark.parametrize("slower", [50.0, 10.0, 9.8])
def test_an_engine_that_is_not_faster_is_left(slower: float, clock: Callable[..., None]) -> None:
    clock(eager=10.0, compile=slower)
    assert chosen([], LONG)[1].engine == "eager"


def test_what_cannot_pay_is_not_tried(clock: Callable[..., None]) -> None:
    clock(eager=10.0, compile=0.1)
    made: list[str] = []
    _, found = chosen(made, 100)
    assert made == ["eager"] and found.engine == "eager" and "5 s" in found.reason, "10 ms × 5 moves × 100 steps"


def test_a_short_run_makes_no_trial_transition(clock: Callable[..., None]) -> None:
    clock(eager=10.0)
    made: list[str] = []
    sampler = build("sampler", "sgld", context=BuildContext(event_shape=(2,)))
    sampler.step = sampler.init = None  # whoever called them would fail
    _, found = choose_engine(make(made), sampler, POINT, stream(0, 0, "engine"), steps=SHORT)
    assert made == ["eager"] and found.engine == "eager" and "10 steps are too few" in found.reason


def test_a_sampler_of_many_gradients_is_no_reason_to_try_in_a_short_run(clock: Callable[..., None]) -> None:
    """The first look supposes `MANY_GRADIENTS`; what a trial transition counts can only be fewer, or far from short."""
    clock(eager=10.0, compile=0.1)
    enough = round(choice.WORTH_TRYING * choice.COMPILE_SECONDS / (10e-3 * choice.MANY_GRADIENTS))
    kept = [chosen([], steps, moves=choice.MANY_GRADIENTS)[1].engine for steps in (enough - 1, enough)]
    assert kept == ["eager", "compile"]


def test_a_graph_is_tried_where_its_capture_can_pay() -> None:
    class OnCuda:
        x = type("X", (), {"device": torch.device("cuda")})

    enough = round(choice.WORTH_TRYING * choice.CAPTURE_TRANSITIONS)
    assert [choice._candidates(OnCuda(), 0.0, steps) for steps in (enough - 1, enough)] == [[], ["graph"]]  # type: ignore[arg-type]


def test_the_line_is_where_the_run_samples_long_enough(clock: Callable[..., None]) -> None:
    clock(eager=1000.0, compile=1.0)
    enough = round(choice.WORTH_TRYING * choice.COMPILE_SECONDS / 5)
    assert [chosen([], steps)[1].engine for steps in (enough - 1, enough)] == ["eager", "compile"]


def test_what_fails_is_left_and_said(clock: Callable[..., None]) -> None:
    clock(eager=10.0)
    seen, found = chosen([], LONG, fails="compile")
    assert found.engine == "eager" and "no compiler is here" in found.reason and isinstance(seen, CallableView)


class Miscaptured(CallableView):
    """Its gradients are as they should be; its loop of moves, captured, is not."""

    captures = True  # type: ignore[assignment]

    def moves(self, *given: object) -> Tensor:
        raise CapabilityError("Replayed as a graph, rows differ.")


def test_a_loop_of_moves_that_fails_is_left_before_the_run(clock: Callable[..., None]) -> None:
    clock(eager=10.0, compile=0.1)
    sampler = build("sampler", "sgld", context=BuildContext(event_shape=(2,)), moves=5)
    views = {"eager": view(quadratic), "compile": Miscaptured(quadratic)}
    seen, found = choose_engine(views.__getitem__, sampler, POINT, stream(0, 0, "engine"), steps=LONG)
    assert found.engine == "eager" and seen is views["eager"] and "rows differ" in found.reason


def test_a_sampler_without_gradients_stays_eager() -> None:
    gibbs = build(
        "sampler", "gibbs", coordinate="side", window=2, context=BuildContext(event_shape=(2,), coordinates=(Side(),))
    )
    point = POINT.with_aux(side=torch.zeros(8, dtype=torch.long))
    _, found = choose_engine(make([]), gibbs, point, stream(0, 0, "engine"), steps=LONG)
    assert found.engine == "eager" and "no gradients" in found.reason


def test_the_measurement_measures() -> None:
    """The real clock: a view that computes a thousand times as much takes longer."""

    def slow(point: Point) -> Tensor:
        for _ in range(300):
            point = point.replace(x=point.x * 1.0)
        return quadratic(point)

    found = choice._milliseconds({"eager": view(quadratic), "compile": view(slow)}, POINT)
    assert 0 < found["eager"] < found["compile"]

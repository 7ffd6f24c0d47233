"""Laws of Phases: read-only, one pass for everything, the same stream for the same name."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ebmkit.errors import CapabilityError
from ebmkit.point import Batch, Point
from ebmkit.protocols.objective import Phases, Requires
from ebmkit.rng import stream


class Counting(nn.Module):
    """An energy that gives features and counts its passes."""

    abilities = frozenset({"energy", "features"})

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.passes: list[int] = []

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        self.passes.append(len(point))
        features = self.scale * point.x
        every = {"energy": features.square().sum(dim=1) / 2, "features": features}
        return {name: every[name] for name in abilities}

    def forward(self, point: Point) -> Tensor:
        return self.evaluate(point, "energy")["energy"]


def phases(energy: Any, n: int = 3, m: int = 2, **fields: Any) -> Phases:
    draw = torch.Generator().manual_seed(0)
    positive, negative = (Point(x=torch.randn(rows, 2, generator=draw)) for rows in (n, m))
    return Phases(energy=energy, **{"batch": Batch(x=positive.x), "positive": positive, "negative": negative, **fields})


@pytest.mark.parametrize("name", ["batch", "positive", "negative", "tail", "reference", "_memo", "anything"])
def test_phases_are_read_only(name: str) -> None:
    step = phases(Counting())
    with pytest.raises(AttributeError, match="read-only"):
        setattr(step, name, None)
    with pytest.raises(AttributeError, match="read-only"):
        delattr(step, name)


@settings(max_examples=25)
@given(n=st.integers(1, 5), m=st.integers(1, 5))
def test_one_pass_serves_both_phases_and_every_ability(n: int, m: int) -> None:
    energy = Counting()
    step = phases(energy, n, m, abilities=frozenset({"energy", "features"}))
    asked = [step.evaluate(phase, ability) for phase in ("negative", "positive") for ability in ("energy", "features")]
    assert energy.passes == [n + m]
    assert step.evaluate("negative") is asked[0] and energy.passes == [n + m]
    assert step.negative is not None
    for phase, point in (("positive", step.positive), ("negative", step.negative)):
        torch.testing.assert_close(step.evaluate(phase), energy(point))
        torch.testing.assert_close(step.evaluate(phase, "features"), energy.scale * point.x)


def test_an_ability_nobody_announced_costs_a_pass_of_its_own() -> None:
    energy = Counting()
    step = phases(energy)
    step.evaluate("positive"), step.evaluate("positive", "features"), step.evaluate("negative", "features")
    assert energy.passes == [5, 5]


def test_values_carry_the_graph_whoever_asked_first() -> None:
    energy = Counting()
    step = phases(energy)
    with torch.no_grad():
        step.evaluate("positive")
    (gradient,) = torch.autograd.grad(step.evaluate("positive").sum(), energy.scale)
    assert gradient != 0


def test_without_negatives_only_the_positive_is_asked() -> None:
    energy = Counting()
    step = phases(energy, negative=None)
    assert len(step.evaluate("positive")) == 3 and energy.passes == [3]


@pytest.mark.parametrize("phase", ["negative", "tail"])
def test_a_missing_phase_is_named(phase: str) -> None:
    with pytest.raises(CapabilityError, match=f"{phase}.*Requires"):
        phases(Counting(), negative=None).evaluate(phase)


def test_an_unknown_phase_or_ability_is_refused() -> None:
    with pytest.raises(CapabilityError, match="middle"):
        phases(Counting()).evaluate("middle")
    with pytest.raises(CapabilityError, match="latent"):
        phases(lambda point: point.x.sum(dim=1)).evaluate("positive", "latent")


def test_the_tail_is_judged_by_the_held_energy() -> None:
    live, held = Counting(), Counting()
    tail = Point(x=torch.ones(2, 2, requires_grad=True))
    step = phases(live, tail=tail, constant=held, abilities=frozenset({"energy", "features"}))
    step.evaluate("tail"), step.evaluate("tail", "features")
    assert live.passes == [] and held.passes == [2]
    assert torch.autograd.grad(step.evaluate("tail").sum(), tail.x)[0].ne(0).all()


@settings(max_examples=25)
@given(seed=st.integers(0, 2**63), step=st.integers(0, 10**6), part=st.text(max_size=8))
def test_streams_are_reproducible_and_different(seed: int, step: int, part: str) -> None:
    def draws(*key: Any) -> list[float]:
        return torch.rand(4, generator=stream(*key)).tolist()

    assert draws(seed, step, part) == draws(seed, step, part)
    others = [(seed + 1, step, part), (seed, step + 1, part), (seed, step, part + "x")]
    assert all(draws(*key) != draws(seed, step, part) for key in others)


def test_a_part_gets_its_own_stream_each_time_anew() -> None:
    before, step = torch.get_rng_state(), phases(Counting())
    first, again, other = (torch.rand(3, generator=step.rng(part)) for part in ("views", "views", "noise"))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_objective_has_streams_of_its_own_whatever_names_it_asks() -> None:
    step = phases(Counting(), rng=lambda part: stream(0, 7, part))
    one, other = step.seen_by("one"), step.seen_by("other")

    def drawn(draws: torch.Generator) -> list[float]:
        return torch.rand(3, generator=draws).tolist()

    for name in ("chains", "draw", "lift", "objective other: chains", "noise"):
        found = [drawn(one.rng(name)), drawn(other.rng(name)), drawn(stream(0, 7, name))]
        assert found[0] != found[1] and found[2] not in found[:2]
        assert drawn(one.rng(name)) == found[0]


def test_what_one_objective_asks_another_need_not() -> None:
    energy = Counting()
    step = phases(energy)
    assert step.evaluated("positive") is None and energy.passes == []
    first = step.seen_by("one").evaluate("positive")
    assert step.seen_by("other").evaluate("positive") is first and step.evaluated("positive") is first
    assert step.evaluated("negative") is not None and energy.passes == [5]


class Bumps(nn.Module):
    """A smooth energy in float64 that counts its passes and gives features."""

    abilities = frozenset({"energy", "features"})

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, 0.3], [-0.4, 0.8]], dtype=torch.float64))
        self.passes: list[int] = []

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        self.passes.append(len(point))
        features = torch.sin(point.x.double() @ self.weight)
        return {name: {"energy": features.exp().sum(dim=1), "features": features}[name] for name in abilities}

    def forward(self, point: Point) -> Tensor:
        return self.evaluate(point, "energy")["energy"]


SCORED = frozenset({"energy", "features", "score"})


@pytest.mark.parametrize("with_negatives", [True, False])
def test_one_pass_gives_the_score_with_everything_else(with_negatives: bool) -> None:
    energy = Bumps()
    step = phases(energy, abilities=SCORED, **({} if with_negatives else {"negative": None}))
    names = ("positive", "negative") if with_negatives else ("positive",)
    asked = [step.evaluate(phase, ability) for phase in names for ability in sorted(SCORED)]
    assert energy.passes == [5 if with_negatives else 3]
    assert asked[0] is step.evaluate("positive", "energy") and all(value.requires_grad for value in asked)
    assert not step.positive.x.requires_grad, "the phases themselves are left alone"


@pytest.mark.parametrize("phase", ["positive", "negative"])
def test_the_score_is_minus_the_slope_of_the_energy(phase: str) -> None:
    energy = Bumps()
    step = phases(energy, abilities=SCORED)
    x = getattr(step, phase).x.double()
    found, h = step.evaluate(phase, "score"), 1e-5
    for i in range(2):
        shift = h * torch.eye(2, dtype=torch.float64)[i]
        slope = (energy(Point(x=x + shift)) - energy(Point(x=x - shift))) / (2 * h)
        torch.testing.assert_close(found[:, i].double(), -slope, atol=1e-5, rtol=1e-5)


def test_a_loss_of_scores_has_the_gradient_in_the_parameters_that_finite_differences_have() -> None:
    def loss(energy: Bumps) -> Tensor:
        x = torch.randn(3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        step = phases(energy, positive=Point(x=x), negative=None, abilities=SCORED)
        return step.evaluate("positive", "score").square().sum()

    energy, h = Bumps(), 1e-5
    (gradient,) = torch.autograd.grad(loss(energy), energy.weight)
    for place in ((0, 0), (0, 1), (1, 1)):
        values = []
        for sign in (1, -1):
            moved = Bumps()
            with torch.no_grad():
                moved.weight[place] += sign * h
            values.append(loss(moved).detach())
        torch.testing.assert_close(gradient[place], (values[0] - values[1]) / (2 * h), atol=1e-6, rtol=1e-6)


def test_a_score_nobody_announced_costs_one_pass_and_brings_the_energy() -> None:
    energy = Bumps()
    step = phases(energy)
    step.evaluate("positive", "score"), step.evaluate("positive"), step.evaluate("negative", "score")
    assert energy.passes == [5]


def test_the_score_of_a_tail_reaches_through_it() -> None:
    start = torch.ones(2, 2, requires_grad=True)
    step = phases(Bumps(), tail=Point(x=2 * start), constant=Bumps())
    (gradient,) = torch.autograd.grad(step.evaluate("tail", "score").sum(), start)
    assert gradient.ne(0).all()


def test_discrete_x_has_no_score() -> None:
    step = phases(Bumps(), positive=Point(x=torch.zeros(2, 2, dtype=torch.int64)), negative=None)
    with pytest.raises(CapabilityError, match="real-valued"):
        step.evaluate("positive", "score")


def test_scores_and_tails_count_as_derivatives() -> None:
    assert Requires().derivatives == 1 and Requires(tail_moves=1).derivatives == 2
    assert Requires(abilities=frozenset({"score"})).derivatives == 2
    assert (Requires(derivatives=3) | Requires()).derivatives == 3 == (Requires() | Requires(derivatives=3)).derivatives

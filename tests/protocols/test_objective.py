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
from ebmkit.protocols.objective import Phases
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

"""Laws over every sampler in the registry, chosen by what its component declares; each refuses a broken double."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch._subclasses import FakeTensorMode
from torch._subclasses.fake_tensor import DataDependentOutputException
from torch.utils._pytree import tree_leaves

from ebmkit import BuildContext, Component, Point, Selection, Tail
from ebmkit.building import build
from ebmkit.plugins import host
from ebmkit.protocols import SamplerInfo, SamplerState
from ebmkit.views import view
from tests.samplers.doubles import DOUBLES, Counting, broken
from tests.samplers.targets import LAWS, WAVY_COSINE, Law, WavyView, box, draw_wavy, gaussian, joint, seeded

BRISK = {
    "mala": lambda step: {"moves": 4, "step_size": step},
    "hmc": lambda step: {"moves": 1, "n_leapfrog": 4, "step_size": step},
    "underdamped": lambda step: {"moves": 4, "step_size": step},
    "nuts": lambda step: {"max_depth": 3, "step_size": step},
    "sgld": lambda step: {"moves": 4, "step_size": step**2 / 2},
}
ORDERS = {"sgld": (1, (0.05, 0.2)), "underdamped": (2, (0.3, 0.5))}  # order in the step, steps at which it is fitted
STANDARD_ERROR = 4e-4  # of a bias below


def words(component: Component) -> frozenset[str]:
    return frozenset(component.ask("gives", component.config(), Selection()))


def coordinates(component: Component) -> frozenset[str]:
    """The coordinates beyond x that a point must have."""
    needs = [need.word for need in component.ask("needs", component.config(), Selection())]
    return frozenset(w.split(".", 1)[1] for w in [*needs, *words(component)] if w.startswith(("point.", "moves.")))


def samplers(*asked: str) -> list[str]:
    """The registered samplers of continuous x that declare any of these words."""
    found = [part for part, _ in host().all() if part.kind == "sampler"]
    return [c.name for c in found if words(c) & set(asked) and "sampler.discrete" not in words(c)]


def pairs(*asked: str) -> list[tuple[str, Law]]:
    """Each of them with every law whose points it can move."""
    return [
        (name, law)
        for name in samplers(*asked)
        for law in LAWS
        if coordinates(host().get("sampler", name)) - {"momentum"} <= {c.name for c in law.coordinates}
    ]


def titled(value: Any) -> str:
    return value.name if isinstance(value, Law) else str(value)


def built(name: str, step: float = 0.5, context: BuildContext | None = None, **config: Any) -> Any:
    brisk = BRISK[name](step) if name in BRISK else {}
    return build("sampler", name, context=context, **{**brisk, **config})


def moved(
    sampler: Any, energy: Any, point: Point, seed: int = 0, transitions: int = 1, tail: Tail | None = None
) -> tuple[SamplerState, SamplerInfo]:
    seen = energy if hasattr(energy, "energy_and_drift") else view(energy)
    state = sampler.init(point, seeded(seed))
    for _ in range(transitions):
        state, info = sampler.step(seen, state, tail=tail)
    return state, info


def worst(name: str, law: Law, seed: int = 1, **config: Any) -> float:
    """Returns the largest |z| after six transitions of 20,000 chains that started exactly in the law."""
    start = law.draw(20_000, seeded(seed))
    state, _ = moved(built(name, law.step, law.context(), **config), law.energy, start, seed + 1000, transitions=6)
    return max(abs(z) for z in law.z_scores(state.point).values())


# --- exactness


@pytest.mark.parametrize("law", LAWS, ids=titled)
def test_exact_draws_of_a_law_have_its_moments(law: Law) -> None:
    assert max(abs(z) for z in law.z_scores(law.draw(100_000, seeded(3))).values()) < law.threshold()


@pytest.mark.parametrize(("name", "law"), pairs("sampler.exact"), ids=titled)
def test_chains_that_start_in_the_target_stay_in_it(name: str, law: Law) -> None:
    assert worst(name, law) < law.threshold()


@pytest.mark.parametrize("double", DOUBLES)
def test_invariance_refuses_a_broken_double(double: str) -> None:
    with broken(double) as name:
        assert worst(name, gaussian) > 2 * gaussian.threshold()


@pytest.mark.parametrize("name", [n for n, law in pairs("sampler.exact") if law is joint])
def test_the_temperature_divides_the_energy(name: str) -> None:
    sampler = built(name, joint.step, joint.context(temperature=3.0))
    state, _ = moved(sampler, Tripled(), joint.draw(20_000, seeded(1)), 1001, transitions=6)
    assert max(abs(z) for z in joint.z_scores(state.point).values()) < joint.threshold()


class Tripled:
    """Three times the energy of the joint law, which is its law at temperature 3."""

    def __call__(self, point: Point) -> torch.Tensor:
        return 3 * joint.energy(point)

    def levels(self, point: Point, name: str = "level") -> torch.Tensor:
        return 3 * joint.energy.levels(point)


@pytest.mark.parametrize("name", [n for n in samplers("sampler.exact") if n in BRISK])
def test_small_steps_are_accepted(name: str) -> None:
    rates = [
        moved(built(name, step), gaussian.energy, gaussian.draw(500, seeded(0)))[1].accept_rate.mean()
        for step in (1e-3, 0.4, 0.9)
    ]
    assert rates[0] > 0.999 and rates[0] > rates[1] > rates[2]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", [n for n in samplers("sampler.exact") if n in BRISK])
def test_a_proposal_without_a_finite_energy_is_rejected(name: str, value: float) -> None:
    start = torch.randn(200, 2, generator=seeded(0)) - 1
    start[:, 0] = -start[:, 0].abs()
    state, info = moved(
        built(name), lambda p: torch.where(p.x[:, 0] > 0, value, p.x.square().sum(dim=1) / 2), Point(x=start)
    )
    assert torch.isfinite(state.point.x).all() and (state.point.x[:, 0] <= 0).all()
    assert 0 < info.accept_rate.mean() < 1
    stuck = info.accept_rate == 0
    assert torch.equal(state.point.x[stuck], start[stuck])


@pytest.mark.parametrize("name", [n for n, law in pairs("sampler.exact", "sampler.unadjusted") if law is box])
def test_x_stays_within_the_range_of_the_data(name: str) -> None:
    law = box
    x = moved(built(name, 1.0, law.context()), law.energy, law.draw(500, seeded(0)))[0].point.x
    assert x.min() >= 0 and x.max() <= 1


@pytest.mark.parametrize("name", [n for n in samplers("sampler.unadjusted") if n in ORDERS])
def test_the_bias_shrinks_with_the_step_at_the_declared_order(name: str) -> None:
    order, steps = ORDERS[name]
    biases = [abs(cosine_bias(name, step)) for step in steps]
    assert biases[0] > 8 * STANDARD_ERROR
    fitted = math.log(biases[1] / biases[0]) / math.log(steps[1] / steps[0])
    assert abs(fitted - order) < 0.5


def cosine_bias(name: str, step: float) -> float:
    """Returns the bias of E cos 2x in the sampler's own law for ½x² + ½cos 2x, from 1,000 moves of 20,000 chains."""
    config = {"noise": math.sqrt(2 * step)} if name == "sgld" else {"friction": 0.5}
    sampler = build("sampler", name, moves=1, step_size=step, **config)
    state, total = sampler.init(Point(x=draw_wavy(20_000, seeded(0))), seeded(1)), torch.zeros(())
    for i in range(1060):
        state, _ = sampler.step(WavyView(), state)
        total += torch.cos(2 * state.point.x).mean() * (i >= 60)
    return float(total / 1000) - WAVY_COSINE


# --- purity


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), shape=st.sampled_from([(1,), (3,), (2, 2), (1, 3, 2)]), n=st.integers(1, 4))
@pytest.mark.parametrize("name", samplers("sampler.exact", "sampler.unadjusted"))
def test_a_transition_is_a_function_of_point_tuning_and_stream(
    name: str, seed: int, shape: tuple[int, ...], n: int
) -> None:
    sampler = built(name, context=BuildContext(event_shape=shape, coordinates=joint.coordinates))
    point = Point(
        x=torch.randn(n, *shape, generator=seeded(seed)), aux={"level": torch.zeros(n, dtype=torch.int64),
                                                              "colour": torch.arange(n)}
    )  # fmt: skip
    torch.manual_seed(0)
    before, kept = torch.get_rng_state(), [t.clone() for t in (point.x, *point.aux.values())]
    results = []
    for _ in range(2):
        state = sampler.init(point, seeded(seed))
        tuning = copy.deepcopy(state.tuning)
        results.append(sampler.step(view(AnyShape()), state)[0])
        assert all(map(torch.equal, tree_leaves(state.tuning), tree_leaves(tuning)))
    assert torch.equal(results[0].point.x, results[1].point.x)
    assert all(torch.equal(results[0].point.aux[k], results[1].point.aux[k]) for k in results[0].point.aux)
    assert torch.equal(results[0].rng.get_state(), results[1].rng.get_state())
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(t, k) for t, k in zip((point.x, *point.aux.values()), kept, strict=True))
    assert torch.equal(results[0].point.aux["colour"], point.aux["colour"])
    assert results[0].point.x.shape == point.x.shape


class AnyShape:
    """½‖x‖² of any event shape, with three values of a level that change nothing."""

    def __call__(self, point: Point) -> torch.Tensor:
        return point.x.flatten(1).square().sum(dim=1) / 2

    def levels(self, point: Point, name: str = "level") -> torch.Tensor:
        return self(point)[:, None].expand(-1, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", samplers("sampler.exact", "sampler.unadjusted"))
def test_dtype_and_device_are_kept(name: str, dtype: torch.dtype) -> None:
    start = joint.draw(5, seeded(0))
    start = start.replace(x=start.x.to(dtype))
    point = moved(built(name, context=joint.context()), joint.energy, start)[0].point
    assert point.x.dtype == dtype and point.x.device == start.x.device
    assert point.aux["level"].dtype == torch.int64


@pytest.mark.parametrize("name", samplers("sampler.exact", "sampler.unadjusted"))
def test_the_host_reads_no_tensor_inside_a_transition(name: str) -> None:
    """Tensors without values: whoever asks for one fails."""
    with FakeTensorMode():
        sampler = built(name, context=joint.context())
        point = Point(x=torch.randn(6, 2), aux={"level": torch.zeros(6, dtype=torch.int64)})
        state, _ = sampler.step(view(AnyShape()), sampler.init(point, torch.Generator()))
    assert state.point.x.shape == (6, 2)


def test_reading_a_tensor_without_values_fails() -> None:
    with FakeTensorMode(), pytest.raises(DataDependentOutputException):
        float(torch.randn(3).sum())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", samplers("sampler.exact", "sampler.unadjusted"))
def test_a_transition_waits_for_no_device(name: str) -> None:
    sampler = built(name, context=joint.context().replace(device="cuda"))
    point = Point(x=torch.randn(6, 2), aux={"level": torch.zeros(6, dtype=torch.int64)}).to("cuda")
    state = sampler.init(point, torch.Generator(device="cuda"))
    torch.cuda.set_sync_debug_mode("error")
    try:
        after, _ = sampler.step(view(AnyShape()), state)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert after.point.x.device == point.x.device


# --- cost


@pytest.mark.parametrize("name", samplers("sampler.exact", "sampler.unadjusted"))
def test_the_gradients_reported_are_those_spent(name: str) -> None:
    seen = Counting(view(joint.energy))
    _, info = moved(built(name, context=joint.context()), seen, joint.draw(3, seeded(0)))
    assert 3 * info.n_gradients == seen.n_rows  # replicas of a chain count


# --- the tail


class Shifted(nn.Module):
    """½θ‖x − m‖² with parameters θ and m, plus a quartic that makes the graph of a trajectory matter."""

    def __init__(self) -> None:
        super().__init__()
        self.theta, self.centre = nn.Parameter(torch.tensor(1.5)), nn.Parameter(torch.tensor([0.3, -0.2]))

    def forward(self, point: Point) -> torch.Tensor:
        shifted = point.x - self.centre
        return (self.theta * shifted.square() / 2 + 0.1 * shifted**4).sum(dim=1)


@pytest.mark.parametrize("rows", [None, 7])
@pytest.mark.parametrize("moves", [1, 3])
@pytest.mark.parametrize("name", samplers("sampler.tail"))
def test_keeping_the_graph_changes_no_value(name: str, moves: int, rows: int | None) -> None:
    point = Point(x=torch.randn(20, 2, generator=seeded(0)), aux={"level": torch.zeros(20, dtype=torch.int64)})
    sampler, energy = built(name, 0.7, joint.context()), Shifted()
    plain, info = moved(sampler, energy, point, transitions=1)
    kept, its = moved(sampler, energy, point, transitions=1, tail=Tail(moves=moves, rows=rows))
    assert kept.point.x.requires_grad and not plain.point.x.requires_grad
    assert torch.equal(plain.point.x, kept.point.x) and torch.equal(info.accept_rate, its.accept_rate)
    assert torch.equal(plain.rng.get_state(), kept.rng.get_state())
    if rows is not None:
        rest = kept.point.x[rows:].sum()
        assert not rest.requires_grad or not torch.autograd.grad(rest, energy.theta, allow_unused=True)[0]


@pytest.mark.parametrize("name", [n for n in samplers("sampler.tail") if n in BRISK])
def test_a_row_carries_a_gradient_just_when_its_proposal_was_accepted(name: str) -> None:
    point, energy = Point(x=2 * torch.randn(30, 2, generator=seeded(0))), Shifted()
    after, info = moved(built(name, 1.3, moves=1), energy, point, tail=Tail(moves=1))
    for row, accepted in enumerate(info.accept_rate):
        (gradient,) = torch.autograd.grad(after.point.x[row].sum(), energy.theta, retain_graph=True)
        assert bool(gradient != 0) == bool(accepted > 0)


@pytest.mark.parametrize("name", [n for n in samplers("sampler.tail") if n in BRISK])
def test_the_gradient_of_a_tail_is_the_derivative_of_the_accepted_path(name: str) -> None:
    point, energy, nudge = Point(x=torch.randn(6, 2, generator=seeded(0)).double()), Shifted().double(), 1e-6
    sampler = built(name, 0.6, moves=3)
    after, _ = moved(sampler, energy, point, tail=Tail(moves=3))
    (gradient,) = torch.autograd.grad(after.point.x.sum(), energy.theta)
    with torch.no_grad():
        energy.theta += nudge
    high = moved(sampler, energy, point)[0].point.x.sum()
    with torch.no_grad():
        energy.theta -= 2 * nudge
    low = moved(sampler, energy, point)[0].point.x.sum()
    assert torch.allclose(gradient, (high - low) / (2 * nudge), rtol=1e-5)

"""Laws of the training step: pairing, one power iteration, and nothing updated when something is not finite."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ebmkit.assembly.build import build
from ebmkit.coordinates.label import Label
from ebmkit.errors import DivergenceError, PluginError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, Point
from ebmkit.protocols.energy import Energy, values_of
from ebmkit.protocols.objective import Phases, Requires
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.rng import stream
from ebmkit.samplers.sequence import Sequence
from ebmkit.training.parts import Parts
from ebmkit.training.step import lift, run_phases, train_step
from ebmkit.views.view import view

SHAPE, N = (1, 8, 8), 4


class Judge:
    """An objective made of a function of (energy, phases)."""

    def __init__(self, score: Callable[[Any, Phases], Mapping[str, Tensor]], **needs: Any) -> None:
        self.score, self.requires = score, Requires(**needs)

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        return self.score(energy, phases)


class Spy:
    """A sampler that asks the view for energies at its start and end, and makes one small move."""

    traits = SamplerTraits(tail="keeps")

    def __init__(self) -> None:
        self.inner = build("sampler", "sgld", moves=2, step_size=0.01, noise=0.001)
        self.seen: list[tuple[Point, Tensor]] = []

    def init(self, point: Point, rng: Generator, tuning: Any = None) -> Any:
        return self.inner.init(point, rng, tuning)

    def step(self, view: Any, state: Any, *, tail: Any = None) -> Any:
        self.seen.append((state.point, view.energy(state.point)))
        return self.inner.step(view, state, tail=tail)


def network(seed: int = 1) -> Any:
    context = BuildContext(event_shape=SHAPE, seed=seed)
    return build("energy", "resnet", context=context, widths=(4, 6), hidden=8, features=4, head="half-squared-norm")


def parts(
    energy: Any = None, *, objectives: Mapping[str, Any] | None = None, sampler: Any = None, **fields: Any
) -> Parts:
    energy = network() if energy is None else energy
    coordinates = fields.pop("coordinates", (Label(3),))
    context = BuildContext(
        event_shape=SHAPE, value_range=(0.0, 1.0), coordinates=coordinates, n_classes=3, batch_size=N
    )
    return Parts(
        coordinates=coordinates,
        energy=energy,
        sampler=sampler or build("sampler", "sgld", context=context, moves=2, step_size=1.0, noise=0.01),
        buffer=build("buffer", "replay", context=context, capacity=16),
        objectives=objectives or {"cd": build("objective", "cd")},
        view=view(energy, fields.pop("precision", "fp32")),
        device=torch.device("cpu"),
        **fields,
    )


def batch(n: int = N) -> Batch:
    return Batch(x=torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(0)), y=torch.arange(n) % 3)


class Adam:
    """An update that goes backward and moves; remembers whether it was called."""

    def __init__(self, energy: nn.Module) -> None:
        self.optimiser, self.calls = torch.optim.Adam(energy.parameters(), lr=0.01), 0

    def __call__(self, losses: Mapping[str, Tensor]) -> None:
        self.calls += 1
        self.optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        self.optimiser.step()


def trained(made: Parts, steps: int = 1, first: int = 1) -> list[Any]:
    update = Adam(made.energy)
    return [train_step(made, batch(), i, {}, update) for i in range(first, first + steps)]


def values(module: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in module.parameters()]


def test_spectral_norm_iterates_once_a_step_and_the_sampler_sees_what_the_losses_see() -> None:
    compared: list[Tensor] = []

    def score(energy: Any, phases: Phases) -> dict[str, Tensor]:
        point, seen = spy.seen[-1]
        compared.append(torch.stack([seen, energy(point).detach(), energy(point).detach()]))
        return {"gap": phases.evaluate("positive").mean() - phases.evaluate("negative").mean()}

    spy = Spy()
    made = parts(sampler=spy, objectives={"cd": Judge(score), "again": Judge(score)})
    buffers = {name: b for name, b in made.energy.named_buffers() if name.endswith("_u")}
    assert len(buffers) == 6
    update = Adam(made.energy)
    for step in (1, 2, 3):
        before = {name: b.clone() for name, b in buffers.items()}
        alone = network()
        alone.load_state_dict(made.energy.state_dict())
        train_step(made, batch(), step, {}, update)
        for seen, first, again in compared:
            assert torch.equal(seen, first) and torch.equal(first, again)
        compared.clear()
        alone(Point(x=batch().x))  # one forward pass in training mode is one power iteration
        for name, value in buffers.items():
            assert not torch.equal(value, before[name])
            torch.testing.assert_close(value, dict(alone.named_buffers())[name])


def test_a_step_moves_parameters_and_repeats_bit_for_bit() -> None:
    runs = []
    for _ in range(2):
        made, before = parts(precision="bf16"), torch.get_rng_state()
        start = values(made.energy)
        reports = trained(made, 3)
        assert any(not torch.equal(a, b) for a, b in zip(start, values(made.energy), strict=True))
        assert torch.equal(torch.get_rng_state(), before)
        runs.append([*values(made.energy), made.buffer.rows.x, reports[-1].losses["cd.gap"]])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
    assert set(reports[-1].metrics) >= {
        "energy_positive",
        "energy_negative",
        "gap",
        "chain_displacement",
        "chain_accept_rate",
    }
    assert not any(t.requires_grad for t in (*reports[-1].losses.values(), *reports[-1].metrics.values()))


@settings(max_examples=10)
@given(n=st.integers(1, 8), step=st.integers(1, 1000))
def test_row_b_of_the_positive_comes_from_row_b_of_the_batch(n: int, step: int) -> None:
    data = batch(n)
    point = lift((Label(3), Marker()), data, stream(0, step, "lift"))
    assert torch.equal(point.x, data.x) and torch.equal(point.aux["label"], data.y)
    assert torch.equal(point.aux["marker"], data.x.flatten(1)[:, 0])


class Marker:
    """A coordinate that names the datum, and after lifting the chain."""

    name = "marker"
    noises_x = False
    n_values = None
    leaves_data = False

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        return point.with_aux(marker=batch.x.flatten(1)[:, 0])

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        return point.with_aux(marker=torch.full((n,), -1.0))


class Mover(Spy):
    """A sampler that says it moves a coordinate."""

    traits = SamplerTraits(moves=frozenset({"x", "marker"}))


def test_coordinates_that_nobody_moves_take_the_positives_values() -> None:
    made = parts(coordinates=(Label(3), Marker()))
    phases, _, _ = run_phases(made, batch(), 1, {})
    assert phases.negative is not None
    assert torch.equal(phases.negative.aux["label"], phases.positive.aux["label"])
    assert torch.equal(phases.negative.aux["marker"], phases.positive.aux["marker"])
    moved, _, _ = run_phases(parts(coordinates=(Label(3), Marker()), sampler=Mover()), batch(), 1, {})
    assert moved.negative is not None and (moved.negative.aux["marker"] == -1).all()
    assert torch.equal(moved.negative.aux["label"], moved.positive.aux["label"])


def test_chains_are_written_back_where_they_were_drawn() -> None:
    made = parts()
    before = made.buffer.rows.map(torch.clone)
    phases, info, _ = run_phases(made, batch(), 1, {})
    changed = (made.buffer.rows.x != before.x).flatten(1).any(dim=1)
    assert int(changed.sum()) == N and phases.negative is not None and info is not None
    rows = {tuple(x.flatten().tolist()) for x in made.buffer.rows.x[changed]}
    assert rows == {tuple(x.flatten().tolist()) for x in phases.negative.x}


@pytest.mark.parametrize("rows", [0, 2, 99])
def test_the_negative_is_the_detached_tail(rows: int) -> None:
    def score(energy: Any, phases: Phases) -> dict[str, Tensor]:
        assert phases.tail is not None and phases.negative is not None and phases.reference is not None
        n = N if rows == 0 else min(rows, N)
        assert len(phases.tail) == n and phases.tail.x.requires_grad and not phases.negative.x.requires_grad
        assert torch.equal(phases.tail.x, phases.negative.x[:n])
        return {"kl": phases.evaluate("tail").mean()}

    plain, kept = parts(), parts(objectives={"kl": Judge(score, tail_moves=1, tail_rows=rows, reference=5)})
    a, b = run_phases(plain, batch(), 1, {})[0], run_phases(kept, batch(), 1, {})[0]
    assert a.negative is not None and b.negative is not None and torch.equal(a.negative.x, b.negative.x)
    assert a.tail is None and a.reference is None and b.reference is not None and len(b.reference) == 5
    before = values(kept.energy)
    trained(kept)
    assert any(not torch.equal(x, y) for x, y in zip(before, values(kept.energy), strict=True))


def test_the_tail_is_judged_with_every_parameter_held_constant() -> None:
    """Spectral norm is cached within the step: a gradient must not leak in through the cache."""
    grads: dict[str, list[Tensor | None]] = {}

    def score(energy: Any, phases: Phases) -> dict[str, Tensor]:
        assert phases.tail is not None
        held, ends = list(energy.parameters()), phases.tail.x
        judged = phases.evaluate("tail")
        torch.testing.assert_close(judged, energy(phases.tail))
        assert phases.evaluate("tail", "features").shape == (N, 4)
        through = torch.autograd.grad(judged.sum(), ends, retain_graph=True)[0]
        full = torch.autograd.grad(judged.sum(), held, retain_graph=True, allow_unused=True)
        chain = torch.autograd.grad(ends, held, through, retain_graph=True, allow_unused=True)
        grads["full"], grads["chain"] = list(full), list(chain)
        return {"kl": judged.mean()}

    made = parts(objectives={"kl": Judge(score, tail_moves=1, abilities=frozenset({"energy", "features"}))})
    trained(made)
    assert sum(float(g.abs().sum()) for g in grads["chain"] if g is not None) > 0
    for whole, by_chain in zip(grads["full"], grads["chain"], strict=True):
        assert (whole is None and by_chain is None) or torch.allclose(whole, by_chain)  # type: ignore[arg-type]


class Poisoned(nn.Module):
    """An energy that turns to NaN where it is told: in its value at data, or in its gradient."""

    abilities = frozenset({"energy"})

    def __init__(self, where: str) -> None:
        super().__init__()
        self.layer = spectral_norm(nn.Linear(64, 1))
        self.where = where

    def forward(self, point: Point) -> Tensor:
        x = point.x.flatten(1)
        energy: Tensor = self.layer(x)[:, 0]
        if self.where == "loss":  # finite on chains, which stay in [0, 1]; the data are shifted above
            return torch.where(x.amax(dim=1) > 1, torch.nan, 1.0) * energy
        return (
            energy
            + (x.sqrt().sum(dim=1) - x.sqrt().sum(dim=1))
            + (torch.inf if self.where == "gradient" else 0) * x.sum(dim=1)
        )


@pytest.mark.parametrize(("where", "found"), [("loss", "loss is not finite"), ("gradient", "chain is not finite")])
def test_nothing_is_updated_when_something_is_not_finite(where: str, found: str) -> None:
    made = parts(Poisoned(where))
    update, before, rows = Adam(made.energy), values(made.energy), made.buffer.rows.x.clone()
    data = batch()
    poisoned = Batch(x=data.x + (2.0 if where == "loss" else 0.0), y=data.y)
    with pytest.raises(DivergenceError, match=f"Step 7.*{found}"):
        train_step(made, poisoned, 7, {}, update)
    assert update.calls == 0 and all(torch.equal(a, b) for a, b in zip(before, values(made.energy), strict=True))
    assert made.buffer.rows.x.isfinite().all()
    if where == "gradient":
        assert torch.equal(made.buffer.rows.x, rows), "a broken chain is not stored"


def test_a_gradient_that_is_not_finite_moves_nothing() -> None:
    from ebmkit.recipes.tables import OptimConfig
    from ebmkit.training.optim import Optimisers

    def score(energy: Any, phases: Phases) -> dict[str, Tensor]:
        zero = (phases.evaluate("positive") * 0).sum()
        return {"root": zero.sqrt()}  # 0, with an infinite derivative

    made = parts(objectives={"bad": Judge(score)})
    before = values(made.energy)
    optimisers = Optimisers(made.owners(), {"energy": OptimConfig()}, 10)
    with pytest.raises(DivergenceError, match="gradient"):
        train_step(made, batch(), 1, {}, lambda losses: optimisers.update(losses, 1) and None)
    assert all(torch.equal(a, b) for a, b in zip(before, values(made.energy), strict=True))


def damage(name: str) -> Callable[[Any, Phases], Mapping[str, Tensor]]:
    def score(energy: Any, phases: Phases) -> dict[str, Tensor]:
        loss = phases.evaluate("positive").mean()
        with torch.no_grad():
            tensors = {"batch": phases.batch.x, "labels": phases.batch.y, "positive": phases.positive.x}
            for phase in ("negative", "tail", "reference"):
                tensors[phase] = getattr(phases, phase).x
            tensors["coordinate"] = phases.negative.aux["label"]  # type: ignore[union-attr]
            tensors[name].mul_(2)  # type: ignore[union-attr]
        return {"loss": loss}

    return score


@pytest.mark.parametrize("name", ["batch", "labels", "positive", "negative", "tail", "reference", "coordinate"])
def test_an_objective_that_changes_a_phase_is_caught(name: str) -> None:
    fine = Judge(lambda energy, phases: {"loss": phases.evaluate("positive").mean()})
    made = parts(objectives={"fine": fine, "clumsy": Judge(damage(name), tail_moves=1, reference=2)})
    update = Adam(made.energy)
    with pytest.raises(PluginError, match=r"'clumsy'.*never move chains"):
        train_step(made, batch(), 1, {}, update)
    assert update.calls == 0


def test_losses_are_named_scalars() -> None:
    for score, found in (
        (lambda e, p: {"loss": p.evaluate("positive")}, r"'bad\.loss' has shape"),
        (lambda e, p: {}, "No objective returned a loss"),
    ):
        with pytest.raises(PluginError, match=found):
            trained(parts(objectives={"bad": Judge(score)}))
    two = Judge(lambda e, p: {"a": p.evaluate("positive").mean(), "b": p.evaluate("negative").mean()})
    assert set(trained(parts(objectives={"x": two, "y": two}))[0].losses) == {"x.a", "x.b", "y.a", "y.b"}


@pytest.mark.parametrize(("fill", "first"), [(0, 1), (N, 2), (2 * N, 3), (10**6, 5)])
def test_references_wait_until_the_buffer_is_filled(fill: int, first: int) -> None:
    """A ring of 16 rows, of which each step puts 4 that were not yet put: a buffer smaller than asked must be full."""
    begun: list[bool] = []

    def score(energy: Any, phases: Phases) -> dict[str, Tensor]:
        begun.append(phases.reference is not None)
        return {"kl": phases.evaluate("tail").mean()}

    made = parts(objectives={"kl": Judge(score, tail_moves=1, reference=5, reference_fill=fill)})
    made.buffer.draw = lambda positive, rng, match=frozenset(): _in_turn(made.buffer, len(begun), positive)
    reports = trained(made, 5)
    assert begun == [step >= first for step in range(1, 6)]
    assert [float(report.metrics["buffer_filled"]) for report in reports] == [4, 8, 12, 16, 16]


def _in_turn(buffer: Any, turn: int, positive: Point) -> tuple[Tensor, Point]:
    places = (torch.arange(N) + N * turn) % len(buffer)
    return places, buffer.rows.map(lambda t: t[places].clone())


def test_without_negatives_nothing_is_drawn() -> None:
    score = Judge(lambda e, p: {"loss": p.evaluate("positive").square().mean()}, negatives=False)
    made = parts(objectives={"matching": score})
    rows = made.buffer.rows.x.clone()
    report = trained(made)[0]
    assert report.phases.negative is None and torch.equal(made.buffer.rows.x, rows)
    assert set(report.metrics) == {"energy_positive"}


def test_a_plain_function_can_be_an_energy() -> None:
    temperature = nn.Parameter(torch.tensor(1.0))
    made = parts(lambda point: temperature * point.x.flatten(1).square().sum(dim=1))
    train_step(made, batch(), 1, {}, lambda losses: losses["cd.gap"].backward())
    assert temperature.grad is not None and made.owners() == {}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_bf16_training_passes_leave_master_weights_and_chains_alone(precision: str) -> None:
    made = parts(autocast=True, precision=precision)
    report = trained(made)[0]
    assert all(p.dtype == torch.float32 for p in made.energy.parameters())
    exact = trained(parts(precision=precision))[0].phases
    assert torch.equal(report.phases.negative.x, exact.negative.x)


def test_tunings_and_augmentation_travel_through_a_step() -> None:
    context = BuildContext(event_shape=SHAPE, value_range=(0.0, 1.0))
    sampler = Sequence([build("sampler", name, context=context) for name in ("augment", "sgld")])
    report = trained(
        parts(sampler=sampler, objectives={"kl": Judge(lambda e, p: {"kl": p.evaluate("tail").mean()}, tail_moves=1)})
    )[0]
    assert set(report.tuning) == {"0", "1"}


many, few, none = Requires(tail_moves=1), Requires(tail_moves=2, tail_rows=3), Requires(negatives=False)


@pytest.mark.parametrize(
    ("a", "b", "rows"), [(many, few, 0), (few, none, 3), (few, Requires(tail_moves=1, tail_rows=5), 5), (none, none, 0)]
)
def test_needs_add_up(a: Requires, b: Requires, rows: int) -> None:
    assert (a | b) == (b | a) and (a | b).tail_rows == rows and (a | b).tail_moves == max(a.tail_moves, b.tail_moves)
    assert (a | b).negatives == (a.negatives or b.negatives) and (a | a) == a
    assert (Requires(abilities=frozenset({"latent"})) | a).abilities == {"energy", "latent"}


def test_evaluate_falls_back_to_methods() -> None:
    assert set(values_of(lambda p: p.x.sum(dim=1), Point(x=torch.ones(2, 2)), "energy")) == {"energy"}

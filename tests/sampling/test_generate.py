"""Laws of generation: what is given is held, and everything else moves as it did."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ebmkit.assembly.build import build
from ebmkit.coordinates.label import Label
from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, RecipeError, RunError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import SamplerInfo, SamplerState
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.recipes.recipe import Recipe
from ebmkit.samplers.sequence import Sequence
from ebmkit.sampling.generate import generate
from ebmkit.sampling.model import Model
from ebmkit.sampling.plan import Plan
from ebmkit.sampling.transitions import Moment
from ebmkit.sampling.variants import holding


class Classes:
    """E(x, y) = (x − y)²/2, with the energies of all labels at once."""

    abilities = frozenset({"levels.label"})

    def __call__(self, point: Point) -> Tensor:
        return (point.x - point.aux["label"][:, None]).square().sum(dim=1) / 2

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        every = torch.stack([self(point.with_aux(label=torch.full((len(point),), i))) for i in range(3)], dim=1)
        return {name: every if name == "levels.label" else self(point) for name in abilities}


class Joint:
    """Moves x and the label together."""

    traits = SamplerTraits(moves=frozenset({"x", "label"}))


class Noise:
    """A level of noise that data do not have: fresh chains start at the last one; x is held at twice its size."""

    name = "noise"
    noises_x = True
    leaves_data = True

    def __init__(self, n_values: int = 4) -> None:
        self.n_values = n_values

    def prior(self, n: int, point: Point, rng: Any, purpose: str = "buffer") -> Point:
        return point.with_aux(noise=torch.full((n,), self.n_values - 1))

    def is_data(self, point: Point) -> Tensor:
        return point.aux["noise"] == 0

    def to_data(self, point: Point) -> Tensor:
        return point.x / 2


class Scripted:
    """Moves the noise of chain b to (3 + b + r) mod 4 in transition r; x counts transitions, the chain knows b."""

    traits = SamplerTraits(moves=frozenset({"x", "noise"}))
    sizes: tuple[int, ...] = ()

    def init(self, point: Point, rng: Any, tuning: Any = None) -> SamplerState:
        mine = torch.arange(len(point))
        return SamplerState(point=point.replace(x=0 * point.x).with_aux(mine=mine), rng=rng, tuning={})

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        self.sizes = (*self.sizes, len(state.point))
        x, mine = state.point.x + 1, state.point.aux["mine"]
        point = state.point.replace(x=x).with_aux(noise=(3 + mine + x[:, 0].long()) % 4)
        info = SamplerInfo(start=state.point, accept_rate=torch.ones(len(x)), n_moves=1, n_gradients=3)
        return SamplerState(point=point, rng=state.rng, tuning={}), info


class Diffused:
    """The exact joint of w·N(−2, s₁²) + (1 − w)·N(2, s₂²) and its diffusions, every level equally likely."""

    abilities = frozenset({"levels.noise"})

    def __init__(self, weight: float, sds: tuple[float, float], kept: tuple[float, ...]) -> None:
        self.log_weights, self.sds = torch.tensor([weight, 1 - weight]).log(), torch.tensor(sds)
        self.kept = torch.tensor(kept)

    def __call__(self, point: Point) -> Tensor:
        return self._energy(point.x, self.kept[point.aux["noise"]][:, None])[:, 0]

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        return {a: self._energy(point.x, self.kept[None]) if a == "levels.noise" else self(point) for a in abilities}

    def _energy(self, x: Tensor, kept: Tensor) -> Tensor:
        kept, means = kept[..., None], torch.tensor([-2.0, 2.0])
        variance = kept * self.sds**2 + 1 - kept
        squares = (x[..., None] - kept.sqrt() * means).square() / (2 * variance)
        return -(self.log_weights - variance.log() / 2 - squares).logsumexp(dim=-1)


ALIKE = Diffused(0.75, (0.1, 0.1), (1.0, 0.98, 0.9, 0.5, 0.05))
UNLIKE = Diffused(0.5, (0.03, 0.6), (1.0, 0.995, 0.98, 0.9, 0.5, 0.05))


def mala(step_size: float = 0.3) -> Any:
    return build("sampler", "mala", moves=2, step_size=step_size, adapt="off")


def gibbs() -> Any:
    return build("sampler", "gibbs", coordinate="label")


def noisy_run(sampler: Any, *, sample: Any = None, energy: Any = None, n_values: int = 4) -> Model:
    data = DataSpec(event_shape=(1,), value_range=None, n_classes=0, class_names=(), n_data=1)
    return Model(
        recipe=Recipe(tables={"run": {"precision": "fp32", "temperature": 1.0}, "sample": sample or {}}),
        energy=energy or (lambda point: point.x.sum(dim=1)), sampler=sampler, objectives={},
        coordinates=(Noise(n_values),), data=data, step=1, device=torch.device("cpu"),
    )  # fmt: skip


def run_of(sampler: Any, tuning: Any = None) -> Model:
    data = DataSpec(event_shape=(2,), value_range=None, n_classes=3, class_names=(), n_data=1)
    return Model(
        recipe=Recipe(tables={"run": {"precision": "fp32", "temperature": 1.0}}), energy=Classes(), sampler=sampler,
        objectives={}, coordinates=(Label(3),), data=data, step=1, device=torch.device("cpu"), tuning=tuning or {},
    )  # fmt: skip


def test_a_given_coordinate_is_held_where_a_sampler_would_move_it() -> None:
    run = run_of(Sequence([mala(), gibbs()]))
    held = generate(run, 16, given={"label": "2"}, transitions=5, seed=0)
    assert held.aux["label"].tolist() == [2] * 16 and held.n_gradients == 15
    free = generate(run, 16, transitions=5, seed=0)
    assert len(set(free.aux["label"].tolist())) > 1


def test_held_chains_are_those_of_the_parts_that_are_left() -> None:
    whole, alone = run_of(Sequence([gibbs(), mala(), gibbs()])), run_of(Sequence([mala()]))
    one, other = (generate(run, 4, given={"label": "1"}, transitions=3, seed=0) for run in (whole, alone))
    assert torch.equal(one.x, other.x)


@given(st.lists(st.sampled_from(["x", "label", "nested"]), min_size=1, max_size=5))
def test_every_part_that_is_left_keeps_its_tuning(kinds: list[str]) -> None:
    made: dict[str, Any] = {"x": mala, "label": gibbs, "nested": lambda: Sequence([gibbs(), mala()])}
    tunings: list[Any] = [
        {"x": {"step_size": i}, "label": {}, "nested": {"1": {"step_size": i}}}[kind] for i, kind in enumerate(kinds)
    ]
    children = [made[kind]() for kind in kinds]
    run = run_of(Sequence(children), {str(i): tuning for i, tuning in enumerate(tunings)})
    if set(kinds) == {"label"}:
        with pytest.raises(CapabilityError, match="nothing else"):
            holding(run, frozenset({"label"}))
        return
    held = holding(run, frozenset({"label"}))
    left = [i for i, kind in enumerate(kinds) if kind != "label"]
    flat = [held.tuning[str(j)].get("0", held.tuning[str(j)]) for j in range(len(left))]
    assert [t["step_size"] for t in flat] == left and not held.sampler.traits.coordinates
    assert run.sampler.children == tuple(children)
    assert holding(run, frozenset()).sampler is run.sampler


def test_what_moves_together_cannot_be_held() -> None:
    both = SimpleNamespace(traits=SamplerTraits(moves=frozenset({"label", "level"})))
    joint: Any = Joint()
    for sampler, other in ((joint, "x"), (Sequence([mala(), joint]), "x"), (both, "level")):
        with pytest.raises(CapabilityError, match=f"--given label:.*together with {other}"):
            generate(run_of(sampler), 2, given={"label": "1"}, transitions=1)
    with pytest.raises(CapabilityError, match="nothing else"):
        generate(run_of(gibbs()), 2, given={"label": "1"}, transitions=1)


def test_a_strength_needs_a_latent() -> None:
    with pytest.raises(RecipeError, match="--given latent"):
        generate(run_of(mala()), 2, strength=1.0, transitions=1)


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 4))
def test_a_chain_is_taken_at_its_visit_to_data_whatever_the_others_do(n: int, visits: int, batch_size: int) -> None:
    run = noisy_run(Scripted(), sample={"batch_size": batch_size})
    made = generate(run, n, visits=visits, transitions=40)
    within = [i % batch_size for i in range(n)]  # each batch numbers its chains anew
    transitions = torch.tensor([4 * (visits - 1) + (-4 - b) % 4 + 1 for b in within])
    assert made.x[:, 0].tolist() == (transitions / 2).tolist()  # in the range of the data
    assert made.aux["mine"].tolist() == within and made.aux["noise"].tolist() == [0] * n
    assert made.n_gradients == round(3 * float(transitions.double().mean())) and made.n_late == 0
    assert made.plan.visits == visits


def test_chains_that_were_taken_are_dropped_by_halves() -> None:
    sampler = Scripted()
    generate(noisy_run(sampler), 8, visits=1)
    assert sampler.sizes == (8, 8, 4, 2)


def test_late_chains_are_counted_and_no_samples() -> None:
    run = noisy_run(Scripted())
    made = generate(run, 8, visits=1, transitions=2)
    assert made.aux["mine"].tolist() == [0, 3, 4, 7] and made.n_late == 4
    assert made.n_gradients == round(3 * (1 + 2 + 1 + 2 + 4 * 2) / 4)
    with pytest.raises(
        RunError, match=r"None of 8 chains came to data 3 times within 6 transitions .*most visits of a chain: 2"
    ):
        generate(run, 8, visits=3, transitions=6)


def test_who_watches_sees_how_many_were_taken_and_those_stand_still() -> None:
    moments: list[Moment] = []
    generate(noisy_run(Scripted()), 4, visits=1, watch=moments.append)
    assert [m.n_taken for m in moments] == [1, 2, 3, 4] and [m.transition for m in moments] == [1, 2, 3, 4]
    assert torch.stack([2 * m.x[:, 0] for m in moments]).tolist() == [
        [1, 1, 1, 1], [1, 2, 2, 2], [1, 3, 3, 2], [1, 4, 3, 2],
    ]  # fmt: skip


def diffused_run(energy: Diffused, steps: list[float], batch_size: int) -> Model:
    """A model that is moved by MALA with its own step at each level, and by Gibbs draws of the level."""
    coordinate = SimpleNamespace(name="noise", n_values=len(steps), noises_x=True, leaves_data=True)
    context = BuildContext(event_shape=(1,), coordinates=(coordinate,))
    moves = build("sampler", "mala", context=context, moves=10, step_size_per="noise", adapt="off")
    parts = Sequence([moves, build("sampler", "gibbs", coordinate="noise")])
    run = noisy_run(parts, sample={"batch_size": batch_size}, energy=energy, n_values=len(steps))
    return replace(run, tuning={"0": {"step_size": torch.tensor(steps)}, "1": {}})


def test_visits_draw_from_the_density_of_data() -> None:
    run = diffused_run(ALIKE, [0.15, 0.2, 0.5, 1.0, 1.5], 1500)
    made = generate(run, 1500, visits=4, seed=1)
    x = 2 * made.x[:, 0]
    left = (x < 0).double().mean()
    assert abs(left - 0.75) < 4 * (0.75 * 0.25 / 1500) ** 0.5
    assert abs(x[x < 0].std() - 0.1) < 4 * 0.1 / (2 * 1100) ** 0.5
    later = generate(run, 1500, visits=8, seed=1)
    assert later.n_gradients - made.n_gradients == pytest.approx(11 * 5 * 4, rel=0.1)  # one in five ends at data


def test_the_share_of_a_narrow_mode_is_right_at_the_default_visits_and_wrong_at_the_first() -> None:
    """Half of the data have s.d. .03, half .6: from noise, the wide half is found first."""
    run, n = diffused_run(UNLIKE, [0.05, 0.1, 0.2, 0.5, 1.0, 1.5], 800), 800
    error = 0.5 / n**0.5
    usual, first = generate(run, n, seed=1), generate(run, n, visits=1, seed=1)
    narrow, early = (float((made.x < 0).double().mean()) for made in (usual, first))
    assert abs(narrow - 0.5) < 4 * error and early < 0.5 - 6 * error
    assert not usual.notes
    (note,) = first.notes
    assert "visit 1 to data, which is early" in note and "--visits 10" in note


def test_early_visits_and_late_chains_are_noted() -> None:
    early, usual = (generate(noisy_run(Scripted()), 8, visits=m, transitions=4 * m - 2).notes for m in (3, 10))
    assert "visit 3 to data, which is early" in early[0] and len(early) == 2
    assert early[1].startswith("4 of 8 chains had not come to data 3 times within 10 transitions and are left out")
    assert len(usual) == 1 and usual[0].startswith("4 of 8 chains had not come to data 10 times")
    assert generate(run_of(mala()), 2, transitions=1).notes == ()


def test_samples_print_what_they_cost_and_what_is_wrong() -> None:
    made = generate(run_of(mala()), 3, transitions=2)
    first, *notes = str(made).splitlines()
    assert (
        first.startswith("3 samples [") and "each taken after 2 transitions: 6 gradients a sample, acceptance" in first
    )
    assert notes == [] and "tensor" not in repr(made)
    early = generate(noisy_run(Scripted()), 8, visits=3, transitions=10)
    assert "each taken at visit 3 to data" in str(early) and str(early).splitlines()[1:] == list(early.notes)


@pytest.mark.parametrize("value", [0, 2])
def test_a_given_noise_is_held_and_counts_transitions(value: int) -> None:
    run = noisy_run(Sequence([mala(), build("sampler", "gibbs", coordinate="noise")]), energy=ALIKE, n_values=5)
    made = generate(run, 4, given={"noise": str(value)}, transitions=3)
    assert made.plan == Plan(visits=0, transitions=3, plain_transitions=0) and made.n_gradients == 9
    assert made.aux["noise"].tolist() == [value] * 4
    with pytest.raises(RecipeError, match=r"visits = 2 has no effect.*noise is held at what was given"):
        generate(run, 4, given={"noise": "0"}, visits=2)


class Recording:
    """A sequence that keeps records beside: without a part of it there are none."""

    hands_down: frozenset[str] = frozenset()

    def __init__(self, parts: Sequence) -> None:
        self.parts, self.children, self.traits = parts, parts.children, parts.traits

    def without(self, goes: Any, tuning: Any) -> Any:
        kept = self.parts.without(goes, tuning)
        return (self, tuning) if kept is not None and kept[0] is self.parts else kept


def test_a_sequence_with_records_is_held_by_its_parts() -> None:
    parts = Sequence([mala(), gibbs()])
    kept = Recording(parts)
    run = run_of(kept, {"0": {"step_size": 1}, "1": {}, "records": 2})
    assert holding(run, frozenset({"label"})).tuning == {"0": {"step_size": 1}}
    assert holding(run, frozenset()).sampler is kept


class Shift:
    """Adds 100 to x, as an augmentation might: no gradient, no coordinate."""

    traits = SamplerTraits(asks_gradient=False, tail="passes")

    def init(self, point: Point, rng: Any, tuning: Any = None) -> SamplerState:
        return SamplerState(point=point, rng=rng, tuning=tuning or {})

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        info = SamplerInfo(start=state.point, accept_rate=torch.ones(len(state.point)), n_moves=0, n_gradients=0)
        return replace(state, point=state.point.replace(x=state.point.x + 100)), info


def test_plain_transitions_leave_out_what_only_augments() -> None:
    run = run_of(Sequence([Shift(), Sequence([Shift(), mala(1e-6)]), gibbs()]))
    far = [
        float(generate(run, 3, transitions=r, plain_transitions=p, seed=0).x.mean())
        for r, p in ((1, 0), (2, 0), (1, 1))
    ]
    assert far == pytest.approx([200, 400, 200], abs=5)
    made = generate(run, 3, transitions=2, plain_transitions=3)
    assert made.n_gradients == 15 and made.transitions == 5
    with pytest.raises(CapabilityError, match="nothing to do"):
        generate(run_of(Shift()), 3, plain_transitions=1)


def test_the_augmentation_of_core_is_one() -> None:
    context = BuildContext(event_shape=(1, 8, 8), value_range=(0.0, 1.0))
    augment = build("sampler", "augment", context=context)
    others = [build("sampler", name) for name in ("sgld", "underdamped", "mala", "hmc", "nuts", "gibbs-with-gradients")]
    assert [s.traits.only_augments for s in (augment, Sequence([augment]), gibbs(), *others)] == [
        True,
        True,
        *[False] * 7,
    ]


def test_the_run_is_left_as_it_was() -> None:
    run = run_of(Sequence([Shift(), mala(), gibbs()]), {"0": {}, "1": {"step_size": torch.tensor(0.3)}, "2": {}})
    before = {name: getattr(run, name) for name in ("sampler", "energy", "recipe", "coordinates")}
    generate(run, 3, given={"label": "1"}, transitions=1, plain_transitions=1)
    assert all(getattr(run, name) is value for name, value in before.items())
    assert run.tuning["1"]["step_size"] == torch.tensor(0.3) and len(run.tuning) == 3


@pytest.mark.parametrize("n", [10**15, 10**18])
def test_more_samples_than_memory_are_refused_before_any(n: int) -> None:
    with pytest.raises(RecipeError, match=f"{n:,} samples take .* bytes of memory"):
        generate(run_of(mala()), n)

"""Laws of the no-U-turn sampler: exactness with its broken doubles, what it costs, when it stops."""

from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ebmkit
from ebmkit import Point, Selection, Tail
from ebmkit.builtin import ebmkit_components
from ebmkit.errors import CapabilityError
from ebmkit.plugins.host import host
from ebmkit.samplers import nuts
from ebmkit.samplers.adaptation import adapted
from ebmkit.samplers.declarations.metropolis import NutsConfig
from ebmkit.samplers.nuts import Place, branch_from, build_nuts, no_u_turn, straight
from ebmkit.testing.law import seeded
from ebmkit.testing.targets import gaussian, image, joint, two_modes
from tests.samplers.doubles import Counting, WrongDrift, kinetic_sign


def built(law=gaussian, temperature=1.0, **config):
    return build_nuts(NutsConfig(**{"max_depth": 3, "step_size": law.step, **config}), law.context(temperature))


def moved(sampler, energy, point, transitions=1, seed=2):
    seen = energy if hasattr(energy, "energy_and_gradient") else ebmkit.view(energy)
    state = sampler.init(point, seeded(seed))
    for _ in range(transitions):
        state, info = sampler.step(seen, state)
    return state, info


def worst(law, transitions=6, seen=None, **config):
    state, _ = moved(built(law, **config), seen or law.energy, law.draw(20_000, seeded(1)), transitions)
    return max(abs(z) for z in law.z_scores(state.point).values())


# --- exactness


@pytest.mark.parametrize(("law", "step"), [(gaussian, 0.3), (two_modes, 0.35), (image, 0.4)], ids=lambda v: str(v)[:9])
def test_trajectories_of_many_lengths_stay_in_it(law, step):
    assert worst(law, max_depth=5, step_size=step) < law.threshold()


def test_a_wrong_gradient_still_samples_the_target():
    assert worst(gaussian, seen=WrongDrift(ebmkit.view(gaussian.energy))) < gaussian.threshold()


def unchecked_pieces(pieces, last, total):
    """Only whole trajectories are checked: a start in a piece that turns would have stopped elsewhere."""
    return pieces, torch.ones(len(last), dtype=torch.bool)


def equal_weights(energy, energy_new, momentum, momentum_new):
    """Every state of a trajectory is as good as any other, whatever its energy."""
    return torch.zeros_like(energy)


def newest(branch, origin, new, uniform, allowed):
    """The newest state of a branch is its proposal, whatever the weights."""
    return _with_state(branch, origin, new, torch.ones_like(uniform), allowed)


_with_state = nuts.with_state
DOUBLES = {
    "unchecked pieces": ("straight", unchecked_pieces),
    "equal weights": ("log_accept_ratio", equal_weights),
    "kinetic sign": ("log_accept_ratio", kinetic_sign),
    "newest": ("with_state", newest),
}


@pytest.mark.parametrize("double", DOUBLES)
def test_invariance_refuses_a_broken_double(double):
    function, wrong = DOUBLES[double]
    with mock.patch(f"ebmkit.samplers.nuts.{function}", wrong):
        assert worst(gaussian, max_depth=5, step_size=0.3) > 2 * gaussian.threshold()


# --- where it stops


def test_a_way_around_a_well_ends_after_half_a_period():
    """In ½x² the momentum is cos t: the two ends of [0, t] agree with the way between them until t = π."""
    for time, ahead in [(0.5, True), (2.9, True), (3.3, False), (6.0, False)]:
        momentum = torch.stack([torch.linspace(0, time, 65).cos(), -torch.linspace(0, time, 65).sin()], dim=1)
        total = momentum.sum(dim=0, keepdim=True)
        assert bool(no_u_turn(momentum[:1], momentum[-1:], total)) == ahead
        assert bool(no_u_turn(momentum[-1:], momentum[:1], total)) == ahead


@given(st.integers(0, 5), st.integers(0, 2**32))
def test_every_aligned_piece_is_checked_once(depth, seed):
    momenta, asked = torch.randn(2**depth, 3, 2, generator=seeded(seed), dtype=torch.float64), []

    def noted(first, last, total):
        asked.append((first, last, total))
        return torch.ones(3, dtype=torch.bool)

    pieces, total = [], torch.zeros_like(momenta[0])
    with mock.patch("ebmkit.samplers.nuts.no_u_turn", noted):
        for momentum in momenta:
            pieces, total = [*pieces, (1, momentum, total)], total + momentum
            pieces, _ = straight(pieces, momentum, total)
    starts = [(i, i + size) for size in (2, 4, 8, 16, 32) for i in range(0, 2**depth, size) if size <= 2**depth]
    assert len(asked) == len(starts) == 2**depth - 1
    for begin, end in starts:
        whole = (momenta[begin], momenta[end - 1], momenta[begin:end].sum(dim=0))
        assert any(all(torch.allclose(a, b) for a, b in zip(whole, seen, strict=True)) for seen in asked)


def test_a_branch_goes_back_the_way_it_came():
    start = gaussian.draw(7, seeded(0)).map(torch.Tensor.double)
    sampler, seen, step = built(), ebmkit.view(gaussian.energy), torch.tensor(0.3, dtype=torch.float64)

    def at(x):
        return sampler.target.at(seen, Point(x=x))

    origin = Place(at(start.x), torch.randn(7, 10, generator=seeded(1), dtype=torch.float64))
    uniform = torch.rand(8, 7, generator=seeded(2), dtype=torch.float64)
    there = branch_from(origin, origin, step, uniform, at, sampler.target.allows)
    back = branch_from(origin, there.last, -step, uniform, at, sampler.target.allows)
    assert torch.allclose(back.last.chains.point.x, start.x) and torch.allclose(back.last.momentum, origin.momentum)


def test_small_steps_make_full_trees_and_are_accepted():
    state, info = moved(built(step_size=1e-3), gaussian.energy, gaussian.draw(500, seeded(0)))
    assert info.accept_rate.min() > 0.999
    rates = [moved(built(step_size=s), gaussian.energy, state.point)[1].accept_rate.mean() for s in (0.3, 0.6, 1.2)]
    assert rates[0] > rates[1] > rates[2]


# --- what it costs


@pytest.mark.parametrize(("moves", "depth"), [(1, 1), (1, 4), (3, 2)])
def test_k_moves_of_depth_d_cost_their_states_and_one_gradient(moves, depth):
    seen = Counting(ebmkit.view(gaussian.energy))
    _, info = moved(built(moves=moves, max_depth=depth), seen, gaussian.draw(3, seeded(0)))
    assert info.n_gradients == seen.n_gradients == moves * (2**depth - 1) + 1


def test_stopping_early_saves_gradients_and_changes_no_draw():
    start, config = gaussian.draw(30, seeded(0)), {"max_depth": 7, "step_size": 0.5, "moves": 2}
    state, info = moved(built(**config), gaussian.energy, start)
    seen = Counting(ebmkit.view(gaussian.energy))
    early, its = moved(built(stops_early=True, **config), seen, start)
    assert torch.equal(state.point.x, early.point.x) and torch.equal(info.accept_rate, its.accept_rate)
    assert torch.equal(state.rng.get_state(), early.rng.get_state())
    assert its.n_gradients == seen.n_gradients < info.n_gradients / 4


# --- its place among the parts


def test_each_level_has_its_own_step_and_adaptation_finds_it():
    sampler = built(joint, step_size=0.05, step_size_per="level", adapt="dual-averaging", adapt_every=1)
    state = sampler.init(joint.draw(500, seeded(0)), seeded(1))
    for _ in range(60):
        state, info = sampler.step(ebmkit.view(joint.energy), state)
        state = type(state)(point=state.point, rng=state.rng, tuning=adapted(sampler, state.tuning, info))
    rates = [info.accept_rate[state.point.aux["level"] == t].mean() for t in range(3)]
    assert all(abs(rate - 0.8) < 0.1 for rate in rates)
    narrow, wide, middle = state.tuning["step_size"]
    assert narrow < middle < wide


def test_a_tail_is_refused_and_those_that_have_one_are_named():
    sampler = built()
    state = sampler.init(gaussian.draw(3, seeded(0)), seeded(0))
    with pytest.raises(CapabilityError, match="nuts") as caught:
        sampler.step(ebmkit.view(gaussian.energy), state, tail=Tail())
    named = [c.name for c in ebmkit_components() if c.kind == "sampler"]
    for name in named:
        component = host().get("sampler", name)
        if "sampler.tail" in component.ask("gives", component.config(), Selection()):
            assert name in str(caught.value)

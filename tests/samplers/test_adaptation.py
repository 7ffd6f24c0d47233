"""Laws of step-size adaptation."""

import pytest
import torch

import ebmkit
from ebmkit import Point
from ebmkit.assembly.build import build
from ebmkit.plugins.component import Selection
from ebmkit.plugins.host import host
from ebmkit.protocols.sampler import SamplerInfo
from ebmkit.samplers.acceptance import trials_by_value
from ebmkit.samplers.adaptation import AcceptBand, DualAveraging, adapt, adapted, for_evaluation
from ebmkit.samplers.sequence import Sequence
from ebmkit.samplers.warmup import warming
from ebmkit.testing.law import seeded
from ebmkit.testing.targets import gaussian, joint
from ebmkit.views.view import view


def info_of(rates, levels=None, n_moves=10):
    aux = {} if levels is None else {"level": torch.tensor(levels)}
    start = Point(x=torch.zeros(len(rates), 1), aux=aux)
    return SamplerInfo(
        start=start, accept_rate=torch.tensor(rates), n_moves=n_moves, n_gradients=0, n_proposals=n_moves
    )


@pytest.mark.parametrize(("rate", "factor"), [(0.9, 1.1), (0.7, 1.0), (0.3, 1 / 1.2), (0.8, 1.0), (0.6, 1.0)])
def test_the_band_grows_above_and_shrinks_below(rate, factor):
    tuning = adapt(AcceptBand(every=1), {"step_size": torch.tensor(0.5)}, info_of([rate, rate]))
    assert tuning["step_size"] == pytest.approx(0.5 * factor)


def test_trials_are_pooled_as_counts_until_they_are_due():
    rule, tuning = AcceptBand(every=2), {"step_size": torch.tensor(1.0)}
    tuning = adapt(rule, tuning, info_of([1.0], n_moves=90))
    assert tuning["step_size"] == 1 and tuning["tried"] == 90 and tuning["accepted"] == 90
    tuning = adapt(rule, tuning, info_of([0.0], n_moves=30))  # 90 of 120, though the mean of both rates is ½
    assert tuning["step_size"] == 1 and tuning["tried"] == 0
    tuning = adapt(rule, adapt(rule, tuning, info_of([0.9])), info_of([0.9]))
    assert tuning["step_size"] == pytest.approx(1.1)


@pytest.mark.parametrize("rule", [AcceptBand(every=1, per="level"), DualAveraging(per="level")])
def test_each_value_learns_from_its_own_trials_and_one_without_stays(rule):
    first = {"step_size": torch.tensor([1.0, 1.0, 1.0])}
    tuning = adapt(rule, first, info_of([1.0, 0.0, 1.0], levels=[0, 2, 0]))
    steps = tuning["step_size"]
    assert steps[0] > steps[2] and steps[1] == 1 and (steps[[0, 2]] != 1).all()
    assert torch.equal(first["step_size"], torch.ones(3)) and list(first) == ["step_size"]


def test_trials_count_for_the_value_at_which_the_moves_were_made():
    accepted, tried = trials_by_value(info_of([0.5, 1.0, 0.0], n_moves=4), torch.tensor([1, 1, 0]), 3)
    assert accepted.tolist() == [0, 6, 0] and tried.tolist() == [4, 8, 0]


@pytest.mark.parametrize(("name", "config"), [("mala", {"moves": 5}), ("hmc", {"moves": 1, "n_leapfrog": 5})])
@pytest.mark.parametrize("start", [0.02, 3.0])
def test_dual_averaging_reaches_the_acceptance_rate_it_aims_at(name, config, start):
    rule = {"adapt": "dual-averaging", "accept": (0.6, 0.8), "adapt_every": 1}
    sampler = build("sampler", name, context=gaussian.context(), step_size=start, **config, **rule)
    state, rates = sampler.init(gaussian.draw(200, seeded(0)), seeded(1)), []
    for _ in range(150):
        state, info = sampler.step(view(gaussian.energy), state)
        state = sampler.init(state.point, state.rng, adapted(sampler, state.tuning, info))
    state = sampler.init(state.point, state.rng, for_evaluation(state.tuning))
    for _ in range(20):
        state, info = sampler.step(view(gaussian.energy), state)
        rates.append(info.accept_rate.mean())
    assert abs(float(torch.stack(rates).mean()) - 0.7) < 0.05


def test_the_band_is_reached_and_then_left_alone():
    sampler = build("sampler", "mala", context=gaussian.context(), moves=5, step_size=0.01, adapt_every=1)
    state = sampler.init(gaussian.draw(200, seeded(0)), seeded(1))
    for _ in range(100):
        state, info = sampler.step(view(gaussian.energy), state)
        state = sampler.init(state.point, state.rng, adapted(sampler, state.tuning, info))
    assert 0.57 < info.accept_rate.mean() < 0.83


def test_each_part_of_a_sequence_learns_from_its_own_moves():
    parts = [("mala", {"step_size_per": "level", "adapt_every": 1}), ("gibbs", {}), ("hmc", {"adapt": "off"})]
    sampler = Sequence([build("sampler", name, context=joint.context(), **config) for name, config in parts])
    state, info = sampler.step(view(joint.energy), sampler.init(joint.draw(50, seeded(0)), seeded(1)))
    tuning = adapted(sampler, state.tuning, info)
    assert torch.allclose(tuning["0"]["step_size"], torch.full((3,), 0.11))
    assert tuning["1"] == {} and tuning["2"] is state.tuning["2"]


def test_a_transition_never_adapts():
    sampler = build("sampler", "mala", context=gaussian.context(), adapt_every=1)
    state = sampler.init(gaussian.draw(5, seeded(0)), seeded(1))
    assert sampler.step(view(gaussian.energy), state)[0].tuning is state.tuning


def test_settled_takes_the_averaged_step_and_leaves_the_rest():
    tuning = adapt(DualAveraging(), {"step_size": torch.tensor(0.3)}, info_of([1.0]))
    plain = {"step_size": torch.tensor(0.2)}
    both = for_evaluation({"0": tuning, "1": plain})
    assert both["0"]["step_size"] == pytest.approx(float(tuning["log_averaged"].exp()))
    assert both["1"] == plain


def test_everything_in_a_tuning_is_a_tensor_to_be_saved():
    for rule in (AcceptBand(every=3), DualAveraging(every=3)):
        tuning = adapt(rule, {"step_size": torch.tensor(0.3)}, info_of([1.0]))
        assert all(isinstance(value, torch.Tensor) for value in tuning.values())
        assert adapt(rule, tuning, info_of([1.0])).keys() == tuning.keys()


# --- warm-up: the first transitions of training take every allowed proposal


def warmed(transitions, warmup=3, **config):
    """Returns the state before each training transition, its info and the last state; the step is far too long."""
    sampler = build("sampler", "mala", context=gaussian.context(), moves=2, step_size=3.0, warmup=warmup, **config)
    state, seen = sampler.init(gaussian.draw(300, seeded(0)), seeded(1), warming(sampler)), []
    for _ in range(transitions):
        before = state
        state, info = sampler.step(view(gaussian.energy), state)
        seen.append((before, state, info))
        state = sampler.init(state.point, state.rng, adapted(sampler, state.tuning, info))
    return sampler, seen, state


@pytest.mark.parametrize("adapt_rule", ["band", "dual-averaging", "off"])
def test_a_warm_up_moves_every_chain_and_still_reports_what_the_ratio_would_say(adapt_rule):
    _, seen, state = warmed(5, adapt=adapt_rule, adapt_every=100)
    moved = [float((after.point.x != before.point.x).any(dim=1).float().mean()) for before, after, _ in seen]
    rates = [float(info.accept_rate.mean()) for *_, info in seen]
    assert moved[:3] == [1.0, 1.0, 1.0] and max(moved[3:]) < 0.5 and all(rate < 0.2 for rate in rates)
    assert int(state.tuning["warmup"]) == 0


def test_a_warm_up_shrinks_a_step_that_would_be_rejected():
    _, _, state = warmed(3, adapt_every=1)
    assert state.tuning["step_size"] == pytest.approx(3 / 1.2**3)


def test_sampling_has_no_warm_up_and_settling_ends_one():
    sampler, _, state = warmed(1, warmup=50)
    assert "warmup" not in sampler.init(state.point, seeded(0)).tuning
    assert int(state.tuning["warmup"]) == 49 and int(for_evaluation({"0": state.tuning})["0"]["warmup"]) == 0
    assert not warming(build("sampler", "mala")) and int(warming(Sequence([sampler]))["0"]["warmup"]) == 50
    draws = ebmkit.sample(gaussian.energy, sampler, state.point, transitions=2, burn_in=1, tuning=state.tuning)
    assert "warmup" not in draws.tuning and draws.accept_rate.mean() < 0.2
    stuck = (draws.x[1] == draws.x[0]).all(dim=1).float().mean()
    assert stuck > 0.5, "after burn-in a proposal can be rejected again"


def test_a_proposal_without_a_finite_energy_is_rejected_even_then():
    sampler = build("sampler", "mala", context=gaussian.context(), moves=2, step_size=3.0, warmup=9)
    seen = view(lambda point: torch.where(point.x[:, 0].abs() > 3, torch.nan, 0.0 * point.x.sum(dim=1)))
    state = sampler.init(
        Point(x=torch.zeros(200, 10)), seeded(0), {"step_size": torch.tensor(3.0), "warmup": torch.tensor(2)}
    )
    x = sampler.step(seen, state)[0].point.x
    assert x[:, 0].abs().max() <= 3 and (x[:, 1] != 0).any()


@pytest.mark.parametrize("name", ["mala", "hmc", "nuts"])
def test_every_level_has_a_step_size_of_its_own_unless_asked_otherwise(name: str) -> None:
    config = host().get("sampler", name).config
    assert config().settled(Selection(coordinates=("label", "level"), noised=("level",))).step_size_per == "level"
    assert config().settled(Selection(coordinates=("label",))).step_size_per == ""
    assert config(step_size_per="").settled(Selection(coordinates=("level",), noised=("level",))).step_size_per == ""

"""Laws of MALA within Gibbs over levels, and the oracle of the paper's facts page."""

import math

import pytest
import torch

from ebmkit import BuildContext, CapabilityError, Point, view
from ebmkit.assembly.build import build
from ebmkit.samplers.adaptation import adapted, for_evaluation
from ebmkit.samplers.warmup import warming
from ebmkit.testing.law import seeded
from ebmkit.testing.targets import joint
from tests.samplers.doubles import broken
from tests.samplers.test_gibbs import SHRINK, OracleView

PUBLISHED_STEPS = torch.tensor([0.146, 0.146, 0.195, 0.345, 0.673, 1.08, 1.59])
N_CHAINS = 2_000


def on_rings_schedule(**config):
    context = BuildContext(event_shape=(1,))
    level = build("coordinate", "level", context=context, noise_levels=6)
    return level, build("sampler", "mgms", context=context.replace(coordinates=(level,)), **config)


def run_oracle(transitions, adapting, **config):
    """Returns levels and x after each transition that follows the adaptation, and the last state."""
    level, sampler = on_rings_schedule(adapt_every=1, **config)
    assert torch.allclose(level.scales, SHRINK, atol=1e-6), "the oracle is of this schedule"
    start = level.prior(N_CHAINS, Point(x=torch.zeros(N_CHAINS, 1)), seeded(0), "generation")
    state, levels, xs = sampler.init(start, seeded(1), warming(sampler)), [], []
    for i in range(transitions):
        state, info = sampler.step(OracleView(), state)
        if i < adapting:
            learnt = adapted(sampler, state.tuning, info)
            state = sampler.init(state.point, state.rng, for_evaluation(learnt) if i == adapting - 1 else learnt)
        else:
            levels.append(state.point.aux["level"])
            xs.append(state.point.x[:, 0])
    return torch.stack(levels), torch.stack(xs), state, sampler


def z_scores(levels):
    """Returns how many standard errors the share of each level is off 1/7, chains being independent."""
    per_chain = torch.stack([(levels == t).float().mean(dim=0) for t in range(7)])
    return (per_chain.mean(dim=1) - 1 / 7) / (per_chain.std(dim=1) / N_CHAINS**0.5)


def left_mode(levels, xs):
    """Returns the share and the s.d. of the left mode among clean chains."""
    clean = xs[levels == 0]
    return float((clean < 0).float().mean()), float(clean[clean < 0].std())


def test_it_reproduces_the_exact_joint_law():
    levels, xs, state, _ = run_oracle(250, 100)
    share, sd = left_mode(levels, xs)
    assert z_scores(levels).abs().max() < 4
    assert abs(share - 0.75) < 0.02 and abs(sd - 0.1) < 0.001
    assert (state.tuning["0"]["step_size"] / PUBLISHED_STEPS).log().abs().max() < 0.25


def test_a_warm_up_is_over_when_it_matters():
    levels, xs, state, _ = run_oracle(160, 70, warmup=20)
    share, sd = left_mode(levels, xs)
    assert z_scores(levels).abs().max() < 4 and abs(sd - 0.1) < 0.001 and abs(share - 0.75) < 0.02
    assert int(state.tuning["0"]["warmup"]) == 0


def test_the_published_ratio_fails():
    with broken("published ratio"):
        levels, xs, _, _ = run_oracle(120, 60)
    assert z_scores(levels).abs().max() > 8 and left_mode(levels, xs)[1] < 0.095


def test_its_diagnostics_are_those_of_its_chains():
    levels, _, state, sampler = run_oracle(30, 10, memory=1e9)
    record = state.tuning["levels"]
    assert float(record["jumps"].sum()) == pytest.approx(30 * N_CHAINS, rel=1e-5)
    pairs = torch.stack([levels[:-1].flatten(), levels[1:].flatten()])
    jumps = torch.zeros(7, 7).index_put((pairs[0], pairs[1]), torch.ones(()), accumulate=True)
    found = record["jumps"] / record["jumps"].sum(dim=1, keepdim=True)
    assert (found - jumps / jumps.sum(dim=1, keepdim=True)).abs().max() < 0.05
    _, info = sampler.step(OracleView(), state)
    metrics = sampler.metrics(info, state.tuning)
    assert 0 < metrics["level.unevenness"] < 1 and 4 < metrics["level.round_trip"] < 300
    assert set(sampler.figures(state.tuning)) == {"levels"} and not sampler.figures({})


def test_first_steps_follow_the_noise_if_asked():
    level, sampler = on_rings_schedule(first_steps="noise", step_size=0.2)
    steps = sampler.init(Point(x=torch.zeros(2, 1), aux={"level": torch.zeros(2).long()}), seeded(0)).tuning["0"]
    assert steps["step_size"][0] == steps["step_size"][1]
    assert torch.allclose(steps["step_size"][1:], 0.2 * torch.tensor(level.betas[1:]).sqrt())


def test_steps_that_follow_the_noise_need_to_know_it():
    with pytest.raises(CapabilityError, match='set "equal"'):
        build("sampler", "mgms", context=joint.context(), first_steps="noise")


def test_without_a_level_it_is_refused():
    with pytest.raises(CapabilityError, match="Add --coordinate level"):
        build("sampler", "mgms")


def test_a_tuning_is_taken_up_again_with_its_counts():
    _, _, state, sampler = run_oracle(4, 2)
    again = sampler.init(state.point, seeded(0), state.tuning)
    assert all(torch.equal(again.tuning["levels"][k], v) for k, v in state.tuning["levels"].items())
    assert torch.equal(again.tuning["0"]["step_size"], state.tuning["0"]["step_size"])


def test_the_cost_is_one_gradient_more_than_moves():
    sampler = build("sampler", "mgms", context=joint.context(), moves=7)
    _, info = sampler.step(view(joint.energy), sampler.init(joint.draw(5, seeded(0)), seeded(1)))
    assert info.n_gradients == 8 and info.n_moves == 8 and math.isfinite(info.accept_rate.mean())

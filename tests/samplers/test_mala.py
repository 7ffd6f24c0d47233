"""Laws of adjusted Langevin moves beyond those of every sampler."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ebmkit import BuildContext, Point, Tail
from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError
from ebmkit.samplers.mala import log_accept_ratio, mala_proposal
from ebmkit.testing.law import seeded
from ebmkit.testing.targets import COVARIANCE, box, gaussian, joint
from ebmkit.views.view import view
from tests.samplers import doubles
from tests.samplers.doubles import Counting, WrongDrift, broken


def run(seen, law, transitions=6, **config):
    sampler = build("sampler", "mala", context=law.context(), moves=4, **{"step_size": law.step, **config})
    state = sampler.init(law.draw(20_000, seeded(1)), seeded(2))
    for _ in range(transitions):
        state, info = sampler.step(seen, state)
    return max(abs(z) for z in law.z_scores(state.point).values()), info


@given(st.integers(0, 2**32), st.floats(0.01, 2.0))
def test_the_ratio_is_that_of_metropolis_and_hastings(seed, step):
    """log p(x')q(x|x') − log p(x)q(x'|x), with the densities of the proposal written out."""
    rng = seeded(seed)
    x, gradient, gradient_new, noise = torch.randn(4, 3, 5, generator=rng, dtype=torch.float64)
    energy, energy_new = torch.randn(2, 3, generator=rng, dtype=torch.float64)
    s = torch.tensor(step, dtype=torch.float64)
    x_new = mala_proposal(x, gradient, noise, s)
    there = -(x_new - x + s**2 / 2 * gradient).square().sum(dim=1) / (2 * s**2)
    back = -(x - x_new + s**2 / 2 * gradient_new).square().sum(dim=1) / (2 * s**2)
    ratio = log_accept_ratio(energy, energy_new, gradient, gradient_new, noise, s)
    assert torch.allclose(ratio, energy - energy_new + back - there, atol=1e-9)


@pytest.mark.parametrize("moves", [1, 7])
@pytest.mark.parametrize("tail", [None, Tail(moves=2)])
def test_k_moves_cost_k_plus_one_gradients(moves, tail):
    seen = Counting(view(gaussian.energy))
    sampler = build("sampler", "mala", context=gaussian.context(), moves=moves)
    _, info = sampler.step(seen, sampler.init(gaussian.draw(3, seeded(0)), seeded(0)), tail=tail)
    assert seen.n_gradients == info.n_gradients == moves + 1


def test_a_wrong_gradient_still_samples_the_target():
    z, info = run(WrongDrift(view(gaussian.energy)), gaussian)
    assert z < gaussian.threshold()
    assert 0.2 < info.accept_rate.mean() < 0.95


class GaussianModule(nn.Module):
    """The Gaussian of `targets` as a module, for views of either precision."""

    def __init__(self):
        super().__init__()
        self.precision = nn.Parameter(torch.linalg.inv(COVARIANCE).float())

    def forward(self, point):
        return ((point.x @ self.precision) * point.x).sum(dim=1) / 2


def test_gradients_in_bf16_leave_the_law_of_the_fp32_energy_invariant():
    seen = view(GaussianModule(), "bf16")
    start = gaussian.draw(4, seeded(0))
    assert not torch.equal(seen.gradient(start), view(gaussian.energy).gradient(start))
    assert torch.allclose(seen.energy_and_gradient(start)[0], gaussian.energy(start), rtol=1e-5)
    assert run(seen, gaussian)[0] < gaussian.threshold()


@pytest.mark.parametrize("name", ["mala", "hmc", "underdamped"])
def test_in_bf16_too_keeping_the_graph_changes_no_value(name):
    seen, start = view(GaussianModule(), "bf16"), gaussian.draw(9, seeded(0))
    sampler = build("sampler", name, context=gaussian.context(), step_size=0.3)
    plain, kept = (sampler.step(seen, sampler.init(start, seeded(1)), tail=t)[0].point.x for t in (None, Tail(moves=2)))
    assert torch.equal(plain, kept) and kept.requires_grad
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(kept.sum(), seen.live.precision))


def test_a_wrong_gradient_on_one_side_only_does_not(monkeypatch):
    def one_sided(energy, energy_new, gradient, gradient_new, noise, step_size):
        true = (gradient_new - 0.4) / 0.6  # what the gradient would have been
        return doubles._mala_ratio(energy, energy_new, gradient, true, noise, step_size)

    monkeypatch.setattr("ebmkit.samplers.mala.log_accept_ratio", one_sided)
    assert run(WrongDrift(view(gaussian.energy)), gaussian)[0] > 3 * gaussian.threshold()


def test_the_published_defect_halves_the_variance_and_looks_healthy():
    energy, start = lambda p: p.x.square().sum(dim=1) / 2, Point(x=torch.randn(4000, 1, generator=seeded(0)))
    sampler = build("sampler", "mala", moves=40, step_size=0.3, context=BuildContext(event_shape=(1,)))
    variances = {}
    for name in ("sound", "published ratio"):
        state = sampler.init(start, seeded(1))
        for _ in range(5):
            if name == "sound":
                state, info = sampler.step(view(energy), state)
            else:
                with broken(name):
                    state, info = sampler.step(view(energy), state)
        variances[name] = float(state.point.x.var())
    assert abs(variances["sound"] - 1) < 0.1
    assert 0.45 < variances["published ratio"] < 0.62 and info.accept_rate.mean() > 0.9


def test_entries_may_have_their_own_scale():
    scale = tuple(math.sqrt(v) for v in torch.linspace(0.25, 2.25, 10).tolist())
    assert run(view(gaussian.energy), gaussian, scale=scale, step_size=0.6)[0] < gaussian.threshold()


def test_a_scale_must_fit_the_event():
    with pytest.raises(CapabilityError, match="scale has 2 entries"):
        build("sampler", "mala", context=gaussian.context(), scale=(1.0, 2.0))


def test_every_level_may_have_its_own_step():
    config = {"step_size_per": "level"}
    z, _ = run(view(joint.energy), joint, **config)
    assert z < joint.threshold()
    sampler = build("sampler", "mala", context=joint.context(), moves=1, step_size_per="level")
    point = joint.draw(300, seeded(0))
    tuning = {"step_size": torch.tensor([0.0, 0.1, 0.2])}
    state, _ = sampler.step(view(joint.energy), sampler.init(point, seeded(1), tuning))
    moved = (state.point.x - point.x).square().sum(dim=1).sqrt()
    size = [float(moved[point.aux["level"] == level].mean()) for level in range(3)]
    assert size[0] == 0 < size[1] < size[2]


def test_the_tuning_is_read_and_returned_as_it_was():
    sampler = build("sampler", "mala", context=joint.context(), step_size=0.3, step_size_per="level")
    state = sampler.init(joint.draw(3, seeded(0)), seeded(0))
    assert torch.equal(state.tuning["step_size"], torch.full((3,), 0.3))
    assert sampler.step(view(joint.energy), state)[0].tuning is state.tuning
    with pytest.raises(CapabilityError, match="another step_size_per"):
        sampler.init(joint.draw(3, seeded(0)), seeded(0), {"step_size": torch.tensor(0.1)})


def test_a_missing_coordinate_is_named():
    with pytest.raises(CapabilityError, match="Add --coordinate level"):
        build("sampler", "mala", step_size_per="level")
    sampler = build("sampler", "mala", context=joint.context(), step_size_per="level")
    with pytest.raises(CapabilityError, match="the chains have: no coordinate"):
        sampler.step(view(joint.energy), sampler.init(Point(x=torch.zeros(2, 2)), seeded(0)))


def test_integers_are_refused():
    with pytest.raises(CapabilityError, match="real-valued"):
        build("sampler", "mala").init(Point(x=torch.zeros(2, 2, dtype=torch.int64)), seeded(0))


def test_a_coordinate_that_noises_x_removes_the_bound():
    class Noising:
        name, noises_x, n_values, leaves_data = "level", True, 2, True

    context = BuildContext(event_shape=(3,), value_range=(0.0, 1.0), coordinates=(Noising(),))
    assert build("sampler", "mala", context=context).target.bounds is None
    assert build("sampler", "mala", context=box.context()).target.bounds == (0.0, 1.0)


def test_a_gradient_that_is_not_finite_is_rejected():
    class Torn(WrongDrift):
        def gradient(self, point):
            return torch.where(point.x > 0.5, torch.nan, self.view.gradient(point))

    sampler = build("sampler", "mala", moves=3, step_size=1.0)
    start = Point(x=-torch.rand(50, 2, generator=seeded(0)))
    state, info = sampler.step(Torn(view(lambda p: p.x.square().sum(dim=1) / 2)), sampler.init(start, seeded(0)))
    assert torch.isfinite(state.point.x).all() and state.point.x.max() <= 0.5
    assert 0 < info.accept_rate.mean() < 1

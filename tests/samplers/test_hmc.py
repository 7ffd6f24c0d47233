"""Laws of Hamiltonian moves beyond those of every sampler."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit import Tail
from ebmkit.assembly.build import build
from ebmkit.samplers.hmc import kick, leapfrog
from ebmkit.testing.law import seeded
from ebmkit.testing.targets import gaussian, image
from ebmkit.views.view import view
from tests.samplers.doubles import Counting, WrongDrift


def trajectory(x, momentum, step, n, gradient_at):
    x, momentum = leapfrog(x, momentum, gradient_at(x), step, n, gradient_at)
    return x, kick(momentum, gradient_at(x), step / 2)


def smooth_gradient(x):
    """∇ of ½x² − cos x."""
    return x + torch.sin(x)


@given(st.integers(0, 2**32), st.floats(0.01, 0.5), st.integers(1, 6))
def test_leapfrog_is_its_own_way_back(seed, step, n):
    x, momentum = torch.randn(2, 4, 3, generator=seeded(seed), dtype=torch.float64)
    step = torch.tensor(step, dtype=torch.float64)
    there = trajectory(x, momentum, step, n, smooth_gradient)
    back = trajectory(there[0], -there[1], step, n, smooth_gradient)
    assert torch.allclose(back[0], x, atol=1e-9) and torch.allclose(-back[1], momentum, atol=1e-9)


def test_leapfrog_keeps_volume():
    state = torch.randn(6, generator=seeded(0), dtype=torch.float64)
    step = torch.tensor(0.3, dtype=torch.float64)

    def flow(state):
        x, momentum = trajectory(state[None, :3], state[None, 3:], step, 5, smooth_gradient)
        return torch.cat([x[0], momentum[0]])

    jacobian = torch.autograd.functional.jacobian(flow, state)
    assert abs(float(torch.linalg.det(jacobian)) - 1) < 1e-9


def test_the_energy_error_of_leapfrog_is_of_second_order():
    x, momentum = torch.randn(2, 1, 3, generator=seeded(0), dtype=torch.float64)

    def error(n):
        end = trajectory(x, momentum, torch.tensor(1.0 / n, dtype=torch.float64), n, smooth_gradient)
        before, after = ((q**2 / 2 - torch.cos(q) + p**2 / 2).sum() for q, p in ((x, momentum), end))
        return abs(float(after - before))

    assert 3.5 < error(40) / error(80) < 4.5


@pytest.mark.parametrize(("moves", "n_leapfrog"), [(1, 1), (3, 5)])
@pytest.mark.parametrize("tail", [None, Tail(moves=1)])
def test_k_moves_of_l_steps_cost_k_l_plus_one_gradients(moves, n_leapfrog, tail):
    seen = Counting(view(image.energy))
    sampler = build("sampler", "hmc", context=image.context(), moves=moves, n_leapfrog=n_leapfrog)
    _, info = sampler.step(seen, sampler.init(image.draw(3, seeded(0)), seeded(0)), tail=tail)
    assert seen.n_gradients == info.n_gradients == moves * n_leapfrog + 1


@pytest.mark.parametrize("settings", [{"scale": tuple(torch.linspace(0.5, 1.5, 10).tolist())}, {}])
def test_a_wrong_gradient_still_samples_the_target(settings):
    """Kicks by any function of x keep volume and lead back: only the energies must be right."""
    sampler = build("sampler", "hmc", context=gaussian.context(), moves=1, n_leapfrog=3, step_size=0.4, **settings)
    state = sampler.init(gaussian.draw(20_000, seeded(1)), seeded(2))
    for _ in range(6):
        state, info = sampler.step(WrongDrift(view(gaussian.energy)), state)
    assert max(abs(z) for z in gaussian.z_scores(state.point).values()) < gaussian.threshold()
    assert 0.1 < info.accept_rate.mean() < 0.95

"""Laws of Langevin moves with momentum beyond those of every sampler."""

import pytest
import torch

from ebmkit import BuildContext, Point
from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError
from ebmkit.samplers.reflection import turned_inwards
from ebmkit.samplers.sequence import Sequence
from ebmkit.samplers.underdamped import Move, baoab_move
from ebmkit.testing.law import seeded
from ebmkit.testing.targets import box, gaussian
from ebmkit.views.view import view


def unit_energy(point):
    return point.x.square().flatten(1).sum(dim=1) / 2


def test_averages_over_a_gaussian_have_no_bias():
    """The law of x under BAOAB is exact for a Gaussian at any stable step (Leimkuhler, Matthews, 2013)."""
    sampler = build("sampler", "underdamped", context=gaussian.context(), moves=5, step_size=0.3)
    state = sampler.init(gaussian.draw(20_000, seeded(1)), seeded(2))
    for _ in range(20):
        state, _ = sampler.step(view(gaussian.energy), state)
    assert max(abs(z) for z in gaussian.z_scores(state.point).values()) < gaussian.threshold()


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_the_temperature_is_the_variance_of_a_unit_gaussian(temperature):
    context = BuildContext(event_shape=(2,), temperature=temperature)
    sampler = build("sampler", "underdamped", context=context, moves=60, step_size=0.3 * temperature**0.5)
    state = sampler.init(Point(x=torch.zeros(20_000, 2)), seeded(0))
    state, _ = sampler.step(view(unit_energy), state)
    assert abs(float(state.point.x.var()) / temperature - 1) < 0.04
    assert abs(float(state.point.aux["momentum"].var()) - 1) < 0.1


def test_without_friction_and_noise_a_move_is_a_leapfrog_step():
    x, momentum, gradient, noise = torch.randn(4, 3, 2, generator=seeded(0))
    step = torch.tensor(0.2)
    x_new, half = baoab_move(x, momentum, gradient, Move(noise, step, torch.tensor(1.0)))
    assert torch.allclose(half, momentum - 0.1 * gradient) and torch.allclose(x_new, x + 0.2 * half)


def test_the_momentum_is_drawn_where_it_is_absent_and_continued_where_it_is_there():
    sampler = build("sampler", "underdamped", moves=1, step_size=0.1)
    assert sampler.traits.moves == {"x", "momentum"}
    state = sampler.init(Point(x=torch.zeros(4, 2)), seeded(0))
    assert state.point.aux["momentum"].shape == (4, 2)
    after, _ = sampler.step(view(unit_energy), state)
    again = sampler.init(after.point, seeded(1))
    assert torch.equal(again.point.aux["momentum"], after.point.aux["momentum"])


def test_in_a_sequence_it_needs_no_momentum_to_start_with():
    sequence = Sequence([build("sampler", "underdamped", moves=2), build("sampler", "mala", moves=2)])
    state = sequence.init(Point(x=torch.zeros(4, 2)), seeded(0))
    state, info = sequence.step(view(unit_energy), state)
    assert "momentum" in state.point.aux and info.n_gradients == 6


def test_at_a_clamp_the_momentum_turns_inwards():
    x, momentum = torch.tensor([[-0.2, 0.5, 1.3]]), torch.tensor([[-1.0, -2.0, 3.0]])
    clamped, inwards = turned_inwards(x, momentum, (0.0, 1.0))
    assert clamped.tolist() == [[0.0, 0.5, 1.0]] and inwards.tolist() == [[1.0, -2.0, -3.0]]


def test_walls_need_a_range():
    for bounds in ("mirror", "clamp"):
        with pytest.raises(CapabilityError, match="no value range"):
            build("sampler", "underdamped", bounds=bounds)
    assert build("sampler", "underdamped", context=box.context(), bounds="off").walls is None

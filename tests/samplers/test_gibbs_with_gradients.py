"""Laws of Gibbs-with-gradients: exactness on targets small enough to list, its broken doubles, what it refuses."""

import math
from dataclasses import dataclass
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ebmkit
from ebmkit import BuildContext, Point, Tail
from ebmkit.errors import CapabilityError
from ebmkit.samplers.declarations.gibbs import GibbsWithGradientsConfig
from ebmkit.samplers.gibbs_with_gradients import Binary, OneHot, build_gwg
from ebmkit.testing.law import seeded
from tests.samplers.doubles import Counting, WrongDrift

N = 20_000


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A law of discrete x all of whose states are listed."""

    name: str
    states: torch.Tensor
    energy: object
    values: str
    value_range: tuple[float, float] | None = None

    def probabilities(self, temperature=1.0):
        return torch.softmax(-self.energy(Point(x=self.states)).double() / temperature, dim=0)

    def draw(self, n, rng):
        return Point(x=self.states[torch.multinomial(self.probabilities(), n, replacement=True, generator=rng)])

    def sampler(self, temperature=1.0, **config):
        context = BuildContext(event_shape=self.states.shape[1:], value_range=self.value_range, temperature=temperature)
        return build_gwg(GibbsWithGradientsConfig(**{"moves": 5, "values": self.values, **config}), context)

    def chi_square(self, point, temperature=1.0):
        """Returns z of Pearson's statistic over all states (Wilson, Hilferty: its cube root is normal)."""
        keys = (self.states.flatten(1) == point.x.flatten(1)[:, None]).all(dim=2).long().argmax(dim=1)
        expected = self.probabilities(temperature) * len(point)
        observed = torch.bincount(keys, minlength=len(self.states))
        chi, free = ((observed - expected) ** 2 / expected).sum(), len(self.states) - 1
        return float(((chi / free) ** (1 / 3) - 1 + 2 / (9 * free)) / math.sqrt(2 / (9 * free)))


def _grid(n):
    return torch.cartesian_prod(*[torch.arange(2.0)] * n)


_FIELD = torch.tensor([[0.3, -0.2], [0.1, 0.0], [-0.4, 0.2]])


def ising(point):
    """Spins on a ring of 3 × 2 with fields; linear in each spin, so that the first order is exact."""
    s = point.x
    bonds = (s * s.roll(1, dims=1)).flatten(1).sum(dim=1) * 0.4 + (s[:, :, 0] * s[:, :, 1]).sum(dim=1) * 0.3
    return -bonds - (s * _FIELD.to(s)).flatten(1).sum(dim=1)


def crooked(point):
    """Six bits, with an energy that is far from linear in them."""
    count = (point.x * torch.tensor([1.0, 2.0, 0.5, 1.5, -1.0, 0.7]).to(point.x)).sum(dim=1)
    return (2.2 * count).sin() + 0.3 * count.square() - point.x[:, 0] * point.x[:, 1]


def potts(point):
    """Four sites on a ring, three values each, with a quadratic coupling and fields."""
    alike = (point.x * point.x.roll(1, dims=1)).flatten(1).sum(dim=1)
    return -0.7 * alike - 0.5 * point.x[:, 0, 0] + 0.3 * (point.x[:, :, 1].sum(dim=1)) ** 2


_SITES = torch.cartesian_prod(*[torch.arange(3)] * 4)
LISTED = [
    Listed(
        name="ising", states=2 * _grid(6).view(-1, 3, 2) - 1, energy=ising, values="binary", value_range=(-1.0, 1.0)
    ),
    Listed(name="crooked", states=_grid(6), energy=crooked, values="binary"),
    Listed(name="potts", states=torch.nn.functional.one_hot(_SITES, 3).float(), energy=potts, values="one-hot"),
]
each_law = pytest.mark.parametrize("law", LISTED, ids=lambda law: law.name)


def moved(sampler, seen, point, transitions=6, seed=2):
    state = sampler.init(point, seeded(seed))
    for _ in range(transitions):
        state, info = sampler.step(seen if hasattr(seen, "gradient") else ebmkit.view(seen), state)
    return state.point, info


# --- exactness


@each_law
def test_chains_that_start_in_the_target_stay_in_it(law):
    start = law.draw(N, seeded(1))
    assert abs(law.chi_square(start)) < 4
    end, info = moved(law.sampler(), law.energy, start)
    assert abs(law.chi_square(end)) < 4
    assert 0.1 < info.accept_rate.mean() < 0.999


@each_law
def test_chains_find_the_target_from_one_state(law):
    start = Point(x=law.states[:1].expand(N, *law.states.shape[1:]).clone())
    assert law.chi_square(start) > 100
    end, _ = moved(law.sampler(moves=20), law.energy, start, transitions=4)
    assert abs(law.chi_square(end)) < 4


@each_law
def test_the_temperature_divides_the_energy(law):
    end, _ = moved(law.sampler(temperature=3.0), lambda point: 3 * law.energy(point), law.draw(N, seeded(1)))
    assert abs(law.chi_square(end)) < 4


@each_law
def test_a_wrong_gradient_still_samples_the_target(law):
    end, _ = moved(law.sampler(), WrongDrift(ebmkit.view(law.energy)), law.draw(N, seeded(1)))
    assert abs(law.chi_square(end)) < 4


def one_way(energy, energy_new, log_there, log_back):
    """Metropolis without Hastings: the way back is forgotten."""
    return energy - energy_new


def turned(energy, energy_new, log_there, log_back):
    """The two proposals enter with their signs exchanged."""
    return energy - energy_new + log_there - log_back


@each_law
@pytest.mark.parametrize("double", [one_way, turned])
def test_the_law_refuses_a_broken_double(law, double):
    with mock.patch("ebmkit.samplers.gibbs_with_gradients.log_accept_ratio", double):
        end, _ = moved(law.sampler(), law.energy, law.draw(N, seeded(1)))
    assert law.chi_square(end) > 8


# --- neighbours


@given(st.integers(0, 2**32), st.sampled_from([(5,), (2, 3), (1, 2, 2)]))
def test_a_flip_changes_one_entry_and_leads_back(seed, shape):
    rng, values = seeded(seed), Binary(low=-1.0, high=0.3)
    x = torch.where(torch.rand(4, *shape, generator=rng) < 0.5, values.low, values.high)
    n = x[0].numel()
    index = torch.randint(n, (4,), generator=rng)
    there, back = values.moved(x, index)
    assert ((there != x).flatten(1).sum(dim=1) == 1).all() and values.hold(there)
    assert torch.equal(values.moved(there, back)[0], x)


@given(st.integers(0, 2**32), st.sampled_from([(5,), (4, 3), (2, 2, 2)]))
def test_a_change_of_value_changes_one_site_and_leads_back(seed, shape):
    rng, values = seeded(seed), OneHot()
    x = torch.nn.functional.one_hot(torch.randint(shape[-1], (4, *shape[:-1]), generator=rng), shape[-1]).float()
    logits = values.logits(x, torch.randn(x.shape, generator=rng))
    assert (torch.isinf(logits) == (x.flatten(1) > 0.5)).all()
    index = logits.argmax(dim=1)
    there, back = values.moved(x, index)
    changed = (there != x).any(dim=-1).view(4, -1)
    assert (changed.sum(dim=1) == 1).all() and values.hold(there)
    assert torch.equal(values.moved(there, back)[0], x)


@given(st.integers(0, 2**32))
def test_logits_are_half_the_gain_where_the_energy_is_linear_in_each_entry(seed):
    law = LISTED[0]
    x = law.states[torch.randint(len(law.states), (5,), generator=seeded(seed))]
    logits = Binary(low=-1.0, high=1.0).logits(x, ebmkit.view(ising).gradient(Point(x=x)))
    for i in range(6):
        there, _ = Binary(low=-1.0, high=1.0).moved(x, torch.full((5,), i))
        assert torch.allclose(logits[:, i], (ising(Point(x=x)) - ising(Point(x=there))) / 2, atol=1e-5)


# --- one transition


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_proposal_without_a_finite_energy_is_rejected(value):
    law = LISTED[1]
    start = law.draw(300, seeded(0))
    start = Point(x=start.x * torch.tensor([0.0, 1, 1, 1, 1, 1]))
    end, info = moved(law.sampler(), lambda p: torch.where(p.x[:, 0] > 0, value, crooked(p)), start)
    assert (end.x[:, 0] == 0).all() and 0 < info.accept_rate.mean() < 1


@each_law
def test_k_moves_cost_k_plus_one_gradients(law):
    seen = Counting(ebmkit.view(law.energy))
    _, info = moved(law.sampler(moves=7), seen, law.draw(3, seeded(0)), transitions=1)
    assert seen.n_gradients == info.n_gradients == 8 and info.n_moves == 7


# --- what it refuses


WRONG = [
    ("binary", torch.rand(3, 4), "real-valued x take mala"),
    ("binary", torch.tensor([[0.0, 1.0], [1.0, math.nan]]), "other values"),
    ("binary", torch.ones(3, 4, dtype=torch.int64), "hold its values as floats"),
    ("one-hot", torch.ones(3, 4), "other values"),
    ("one-hot", torch.zeros(3, 4), "other values"),
]


@pytest.mark.parametrize(("values", "x", "said"), WRONG)
def test_x_of_other_values_is_refused_before_the_first_move(values, x, said):
    sampler = build_gwg(GibbsWithGradientsConfig(values=values), BuildContext())
    with pytest.raises(CapabilityError, match=said):
        sampler.init(Point(x=x), seeded(0))


def test_a_tail_is_refused():
    law = LISTED[0]
    state = law.sampler().init(law.draw(3, seeded(0)), seeded(0))
    with pytest.raises(CapabilityError, match="mala"):
        law.sampler().step(ebmkit.view(law.energy), state, tail=Tail())

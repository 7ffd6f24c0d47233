"""Laws of parallel tempering: exact at every temperature, its broken doubles, and modes that MALA never leaves."""

from statistics import NormalDist
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ebmkit
from ebmkit import BuildContext, Point, Tail
from ebmkit.coordinates.declarations import COMPONENTS as COORDINATES
from ebmkit.coordinates.declarations import ReplicasConfig
from ebmkit.coordinates.replicas import Replicas, build_replicas
from ebmkit.errors import CapabilityError
from ebmkit.samplers.acceptance import trials_by_value
from ebmkit.samplers.adaptation import adapted
from ebmkit.samplers.declarations.gibbs import GibbsWithGradientsConfig
from ebmkit.samplers.declarations.tempering import COMPONENTS, TemperingConfig
from ebmkit.samplers.gibbs_with_gradients import build_gwg
from ebmkit.samplers.tempering import Tempered, Tempering, build_tempering, exchange, geometric_ladder
from ebmkit.testing.law import seeded
from ebmkit.testing.targets import joint
from tests.samplers.doubles import Counting

N, R, HIGHEST = 20_000, 4, 12.0
LADDER = geometric_ladder(R, HIGHEST)
THRESHOLD = NormalDist().inv_cdf(1 - 1e-4 / 24)

# --- two narrow modes far apart, of weights 1 and 3, whose tempered laws are known on a grid

_GRID = torch.linspace(-9, 9, 180_001, dtype=torch.float64)


def far_modes(point):
    x = point.x.double()[:, 0]
    left, right = -(x + 3).square() / (2 * 0.25), -(x - 3).square() / (2 * 0.25)
    return -torch.logaddexp(left, right + torch.log(torch.tensor(3.0, dtype=torch.float64)))


def shares(temperature):
    return torch.softmax(-far_modes(Point(x=_GRID[:, None])) / temperature, dim=0)


def draw(n, temperature, rng):
    place = torch.searchsorted(shares(temperature).cumsum(0), torch.rand(n, generator=rng, dtype=torch.float64))
    return _GRID[place.clamp(max=len(_GRID) - 1)][:, None].float()


STATISTICS = {"weight of the right mode": lambda x: (x > 0).double(), "mean": lambda x: x, "square": lambda x: x**2}


def scores(x, temperature):
    """Returns how many standard errors the mean of each statistic is off at a temperature."""
    found = {}
    for name, statistic in STATISTICS.items():
        values, expected = statistic(x[:, 0].double()), (shares(temperature) * statistic(_GRID)).sum()
        found[name] = abs(float((values.mean() - expected) / (values.std() / len(values) ** 0.5)))
    return found


def stationary(n=N, seed=1):
    rng = seeded(seed)
    rungs = [draw(n, float(t), rng) for t in LADDER]
    return Point(x=rungs[0], aux={"replicas": torch.stack(rungs[1:], dim=1)})


def built(context=None, **config):
    settings = {"n_temperatures": R, "highest": HIGHEST, "moves": 2, "step_size": 0.5, **config}
    return build_tempering(TemperingConfig(**settings), context or BuildContext(event_shape=(1,)))


def moved(sampler, seen, point, transitions=6, seed=2):
    state = sampler.init(point, seeded(seed))
    for _ in range(transitions):
        state, info = sampler.step(seen if hasattr(seen, "gradient") else ebmkit.view(seen), state)
    return state, info


def worst(point):
    rungs = [point.x, *point.aux["replicas"].unbind(dim=1)]
    return max(max(scores(x, float(t)).values()) for x, t in zip(rungs, LADDER, strict=True))


# --- exactness


def test_chains_that_start_in_the_target_stay_in_it_at_every_temperature():
    start = stationary()
    assert worst(start) < THRESHOLD
    state, info = moved(built(), far_modes, start)
    assert worst(state.point) < THRESHOLD
    assert all(0.1 < pair.accept_rate.mean() < 0.9 for pair in info.children[1].children)


def test_the_temperature_of_the_run_divides_the_energy():
    sampler = built(BuildContext(event_shape=(1,), temperature=3.0))
    assert worst(moved(sampler, lambda p: 3 * far_modes(p), stationary())[0].point) < THRESHOLD


def wrong_sign(energy, energy_above, weight, weight_above):
    """A hot replica of higher energy comes down."""
    return (weight_above - weight) * (energy - energy_above)


def always(energy, energy_above, weight, weight_above):
    """Every exchange is made."""
    return torch.zeros_like(energy)


def hot_alone(energy, energy_above, weight, weight_above):
    """The energies are compared at the colder temperature, as if the hotter replica were moved there and not back."""
    return weight * (energy - energy_above)


@pytest.mark.parametrize("double", [wrong_sign, always, hot_alone])
def test_the_law_refuses_a_broken_double(double):
    with mock.patch("ebmkit.samplers.tempering.log_swap_ratio", double):
        assert worst(moved(built(), far_modes, stationary())[0].point) > 2 * THRESHOLD


def test_modes_that_plain_moves_never_leave_get_their_weights():
    n, start = 2000, torch.full((2000, 1), -3.0)
    mala = ebmkit.build("sampler", "mala", moves=5, step_size=0.5)
    alone, _ = moved(mala, far_modes, Point(x=start), transitions=120)
    assert (alone.point.x > 0).float().mean() < 0.01
    state, _ = moved(built(moves=5), far_modes, Point(x=start), transitions=120)
    weight = (state.point.x > 0).double().mean()
    assert abs(float(weight) - 0.75) < 4 * (0.75 * 0.25 / n) ** 0.5


def test_another_sampler_can_move_the_replicas():
    """Spins on a ring so cold that single flips never turn it: tempering gives both orders their weight."""

    def ring(point):
        s = point.x
        return -2.5 * (s * s.roll(1, dims=1)).sum(dim=1) - 0.05 * s.sum(dim=1)

    context = BuildContext(event_shape=(8,), value_range=(-1.0, 1.0))
    child = build_gwg(GibbsWithGradientsConfig(moves=4), context)
    states = 2 * torch.cartesian_prod(*[torch.arange(2.0)] * 8) - 1
    chance = torch.softmax(-ring(Point(x=states)).double(), dim=0)
    up = float(chance[states.sum(dim=1) > 0].sum())
    start = Point(x=-torch.ones(3000, 8))
    sampler = Tempering(child=child, ladder=geometric_ladder(6, 10.0))
    assert (moved(child, ring, start, transitions=60)[0].point.x.sum(dim=1) > 0).float().mean() < 0.1
    x = moved(sampler, ring, start, transitions=60)[0].point.x
    assert abs(float((x.sum(dim=1) > 0).double().mean()) - up) < 4 * (up * (1 - up) / 3000) ** 0.5


# --- exchanges


@given(st.integers(0, 2**32), st.integers(2, 7), st.sampled_from([0, 1]))
def test_an_exchange_is_a_permutation_of_neighbours_in_disjoint_pairs(seed, n_rungs, first):
    rng, weights = seeded(seed), 1 / geometric_ladder(n_rungs, 5.0)
    energy, n_pairs = 4 * torch.randn(50, n_rungs, generator=rng), len(range(first, n_rungs - 1, 2))
    order, made = exchange(energy, weights, torch.rand(50, n_pairs, generator=rng), first)
    rungs = torch.arange(n_rungs)
    assert torch.equal(order.sort(dim=1).values, rungs.expand(50, -1))
    assert torch.equal(order.gather(1, order), rungs.expand(50, -1)) and ((order - rungs).abs() <= 1).all()
    assert torch.equal((order - rungs).abs().sum(dim=1), 2 * made.sum(dim=1))
    downhill = energy[:, first:-1:2] >= energy[:, first + 1 :: 2]
    assert made[downhill].all()


def test_a_replica_without_a_finite_energy_stays_where_it_is():
    energy = torch.tensor([[torch.nan, 0.0, -9.0, -torch.inf], [0.0, torch.inf, torch.nan, 1.0]])
    for first, pairs in ((0, 2), (1, 1)):
        order, made = exchange(energy, 1 / LADDER, torch.zeros(2, pairs), first)
        lost = ~torch.isfinite(energy)
        assert torch.equal(order[lost], torch.arange(4).expand(2, -1)[lost])
        assert made.tolist() == ([[False, False]] * 2 if first == 0 else [[True], [False]])


def test_the_rates_of_moves_and_exchanges_are_told_for_each_temperature():
    _, info = moved(built(), far_modes, stationary(500), transitions=1)
    moves, exchanges = info.children
    accepted, tried = trials_by_value(moves, moves.start.aux["rung"], R)
    assert tried.tolist() == [1000.0] * R and torch.allclose(accepted[0] / tried[0], info.accept_rate.mean())
    assert len(exchanges.children) == R - 1
    assert all(pair.accept_rate.shape == (500,) for pair in exchanges.children)


# --- one transition


class CountingRows(Counting):
    """Counts the rows whose gradient is asked."""

    def gradient(self, point):
        self.n_gradients += len(point)
        return self.view.gradient(point)

    def energy_and_gradient(self, point):
        self.n_gradients += len(point)
        return self.view.energy_and_gradient(point)


def test_the_gradients_of_all_replicas_are_counted():
    seen = CountingRows(ebmkit.view(far_modes))
    _, info = moved(built(moves=3), seen, stationary(5), transitions=1)
    assert seen.n_gradients == 5 * info.n_gradients and info.n_gradients == R * 4 and info.n_moves == 3


def test_what_a_replica_sees_is_weighed_by_its_rung_and_knows_the_other_coordinates():
    point = joint.draw(6, seeded(0)).with_aux(rung=torch.tensor([0, 1, 2, 3, 3, 1]))
    seen, plain = Tempered(ebmkit.view(joint.energy), 1 / LADDER), ebmkit.view(joint.energy)
    weight = 1 / LADDER[point.aux["rung"]]
    assert torch.allclose(seen.energy(point), weight * plain.energy(point))
    assert torch.allclose(seen.gradient(point), weight[:, None] * plain.gradient(point))
    assert torch.allclose(seen.levels(point, "level"), weight[:, None] * plain.levels(point, "level"))
    assert all(
        torch.allclose(a, b)
        for a, b in zip(seen.energy_and_gradient(point), (seen.energy(point), seen.gradient(point)), strict=True)
    )


def test_steps_start_with_the_width_of_a_well_and_are_adapted_for_each_temperature():
    sampler = built(step_size=0.02, adapt="dual-averaging", adapt_every=1)
    state = sampler.init(stationary(300), seeded(1))
    assert torch.allclose(state.tuning["0"]["step_size"], 0.02 * LADDER.sqrt())
    for _ in range(60):
        state, info = sampler.step(ebmkit.view(far_modes), state)
        state = type(state)(point=state.point, rng=state.rng, tuning=adapted(sampler, state.tuning, info))
    moves = info.children[0]
    accepted, tried = trials_by_value(moves, moves.start.aux["rung"], R)
    assert ((accepted / tried - 0.7).abs() < 0.12).all()
    kept = sampler.init(state.point, seeded(0), state.tuning).tuning
    assert torch.equal(kept["0"]["step_size"], state.tuning["0"]["step_size"])


# --- its place among the parts


def test_the_coordinate_fits_the_sampler_and_draws_fresh_chains_in_range():
    context = BuildContext(event_shape=(2,), value_range=(-2.0, 3.0))
    coordinate = build_replicas(ReplicasConfig(n_temperatures=R), context)
    point = coordinate.prior(500, Point(x=torch.zeros(500, 2)), seeded(0))
    x = point.aux["replicas"]
    assert x.shape == (500, R - 1, 2) and -2 <= x.min() < -1.9 and 2.9 < x.max() <= 3
    assert built(context).init(point, seeded(0)).point.aux["replicas"] is x
    lifted = Replicas(n_replicas=2, value_range=None).lift(None, point.without("replicas"), seeded(0))
    assert lifted.aux["replicas"].shape == (500, 2, 2)


def test_another_number_of_replicas_is_refused_before_the_first_move():
    with pytest.raises(CapabilityError, match="n_temperatures"):
        built().init(Point(x=torch.zeros(3, 1), aux={"replicas": torch.zeros(3, 5, 1)}), seeded(0))


def test_sampler_and_coordinate_agree_on_the_number_of_temperatures():
    (sampler,) = COMPONENTS
    coordinate = next(c for c in COORDINATES if c.name == "replicas")
    (need,) = sampler.ask("needs", TemperingConfig(n_temperatures=9), ebmkit.Selection())
    assert need.default == coordinate.name
    assert coordinate.ask("gives", ReplicasConfig(**need.config), ebmkit.Selection()) == (need.word,)
    assert coordinate.ask("gives", ReplicasConfig(), ebmkit.Selection()) != (need.word,)


def test_a_sampler_that_moves_another_coordinate_at_one_temperature_is_refused():
    component = next(c for c in COMPONENTS if c.name == "tempering")
    beside = ebmkit.Selection(capabilities=frozenset({"sampler.exact", "moves.level"}))
    assert "level" in component.objection("refuse", TemperingConfig(), beside)
    assert component.objection("refuse", TemperingConfig(), ebmkit.Selection()) == ""


def test_a_tail_is_refused():
    state = built().init(stationary(3), seeded(0))
    with pytest.raises(CapabilityError, match="tempering, but"):
        built().step(ebmkit.view(far_modes), state, tail=Tail())

"""Laws of the objective: closed forms on a Gaussian, the sign of the third term, and what carries a gradient."""

from functools import partial
from math import log

import pytest
import torch
from ebmkit_improved_cd.declarations import ImprovedCdConfig
from ebmkit_improved_cd.entropy import log_nearest_distance
from ebmkit_improved_cd.objective import ImprovedCd
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ebmkit import Batch, BuildContext, CapabilityError, Phases, Point, RecipeError, Tail, view
from ebmkit.assembly.build import build
from ebmkit.ops.augmentation import PRESETS, augment
from ebmkit.ops.gradients import gradient_with_graph
from ebmkit.rng import stream
from ebmkit.samplers.sgld import langevin_move

THETA, ETA, SIGMA, SPREAD = 1.7, 0.2, 0.3, 0.8
"""Precision of the model, step and noise of its sampler, s.d. of the data, in one dimension."""


class Gaussian(nn.Module):
    """E(x) = θ‖x‖²/2."""

    def __init__(self, theta=THETA):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta, dtype=torch.float64))

    def forward(self, point):
        return self.theta * point.x.flatten(1).square().sum(dim=1) / 2


def objective(**config):
    return ImprovedCd(ImprovedCdConfig(**config))


def phases_of(energy, tail, held, positive=None, negative=None, reference=None):
    positive = tail.detach() if positive is None else positive
    return Phases(
        energy=energy,
        batch=Batch(x=positive),
        positive=Point(x=positive),
        negative=Point(x=tail.detach() if negative is None else negative),
        tail=Point(x=tail),
        reference=None if reference is None else Point(x=reference),
        constant=held,
    )


def gradient(loss, energy):
    return float(torch.autograd.grad(loss, energy.theta, retain_graph=True)[0])


# --- the sign of the third term, on a 1-D Gaussian with one Langevin move from the data; T = 1


def variance(theta):
    """Of q_θ, the law of the ends of one move from the data."""
    return (1 - ETA * theta) ** 2 * SPREAD**2 + SIGMA**2


def kl(v, theta):
    """KL(N(0, v) ‖ N(0, 1/θ))."""
    return 0.5 * (theta * v - 1 - log(theta * v))


def contrastive_divergence(theta):
    """KL(p_D ‖ p_θ) − KL(q_θ ‖ p_θ)."""
    return kl(SPREAD**2, theta) - kl(variance(theta), theta)


def finite_difference(f, at, h=1e-5):
    return (f(at + h) - f(at - h)) / (2 * h)


def one_move(energy):
    """Returns data, and their ends with a graph: four equally likely points, with the exact moments up to the second.

    Means of quadratic functions over them are those over the Gaussians.
    """
    x = SPREAD * torch.tensor([[1.0], [1.0], [-1.0], [-1.0]], dtype=torch.float64)
    noise = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]], dtype=torch.float64)
    point, gradient = gradient_with_graph(view(energy), Point(x=x), None)
    return x, langevin_move(point.x, gradient, noise, ETA, SIGMA)


def terms(energy, **config):
    """Returns the gradients of the two-term loss, of the energy part of the third term, and of −H(q_θ)."""
    data, ends = one_move(energy)
    phases = phases_of(energy, ends, view(energy).constant, positive=data)
    gap = build("objective", "cd").losses(energy, phases)["gap"]
    third = objective(w_ent=0, **config).losses(energy, phases)["kl"]
    entropy = 0.5 * ends.square().mean().log()  # of a Gaussian of this variance, up to a constant
    return gradient(gap, energy), gradient(third, energy), gradient(-entropy, energy)


def test_the_gradient_of_cd_subtracts_the_third_term():
    two, energy_part, entropy_part = terms(Gaussian())
    exact = finite_difference(contrastive_divergence, THETA)
    assert two - (energy_part + entropy_part) == pytest.approx(exact, rel=1e-6)
    assert two + (energy_part + entropy_part) != pytest.approx(exact, rel=1e-2), "adding it, as published, is not CD"


def test_the_third_term_has_the_entropy_in_it():
    two, energy_part, _ = terms(Gaussian())
    exact = finite_difference(contrastive_divergence, THETA)
    assert two - energy_part != pytest.approx(exact, rel=1e-2)
    assert two + energy_part != pytest.approx(exact, rel=1e-2)


def test_what_is_added_is_the_gradient_of_a_kl_that_holds_the_model():
    """L_CD + KL(q_θ ‖ sg p): the second is a regulariser of the sampler, and its gradient is that of the two terms."""
    _, energy_part, entropy_part = terms(Gaussian())
    exact = finite_difference(lambda theta: kl(variance(theta), THETA), THETA)
    assert energy_part + entropy_part == pytest.approx(exact, rel=1e-6)
    moving = finite_difference(lambda theta: kl(variance(theta), theta), THETA)
    assert moving != pytest.approx(exact, rel=1e-2)


def test_parameters_that_are_not_held_are_noticed():
    energy = Gaussian()
    data, ends = one_move(energy)
    loose = objective(w_ent=0).losses(energy, phases_of(energy, ends, held=None, positive=data))["kl"]
    assert gradient(loose, energy) != pytest.approx(terms(Gaussian())[1], rel=1e-2)


@pytest.mark.parametrize("weight", [0.5, 3.0])
def test_the_weight_multiplies(weight):
    assert terms(Gaussian(), w_kl=weight)[1] == pytest.approx(weight * terms(Gaussian())[1])


# --- the sampler's own tail


@settings(max_examples=20)
@given(moves=st.integers(1, 4), kept=st.sampled_from([1, 3]), rows=st.integers(1, 6), seed=st.integers(0, 999))
def test_the_gradient_is_the_closed_form_through_as_many_moves_as_are_kept(moves, kept, rows, seed):
    energy = Gaussian()
    sampler = build("sampler", "sgld", moves=moves, step_size=ETA, noise=SIGMA)
    start = Point(x=torch.randn(6, 1, generator=stream(seed, 0, "start"), dtype=torch.float64))
    tail = Tail(moves=kept, rows=rows)
    seen = view(energy)
    state, _ = sampler.step(seen, sampler.init(start, stream(seed, 0, "chains")), tail=tail)
    x, rng, slope = start.x, stream(seed, 0, "chains"), torch.zeros_like(start.x)
    for i in range(moves):  # x ← (1 − ηθ)x + σξ, and its derivative in θ since the first kept move
        noise = torch.randn(x.shape, generator=rng, dtype=x.dtype)
        slope = (1 - ETA * THETA) * slope - ETA * x if i >= moves - kept else torch.zeros_like(x)
        x = (1 - ETA * THETA) * x + SIGMA * noise
    phases = phases_of(energy, state.point.x[:rows], seen.constant)
    found = gradient(objective(w_ent=0, moves=kept).losses(energy, phases)["kl"], energy)
    assert found == pytest.approx(float((THETA * x * slope)[:rows].mean()), rel=1e-9)
    assert all(p.requires_grad for p in energy.parameters()), "freezing toggles nothing on the live module"


def test_entries_that_the_clamp_holds_get_no_gradient():
    energy = Gaussian()
    context = BuildContext(event_shape=(2,), value_range=(0.0, 1.0))
    sampler = build("sampler", "sgld", context=context, moves=1, step_size=ETA, noise=1e-9)
    start = Point(x=torch.tensor([[0.5, 0.9]], dtype=torch.float64))
    seen = view(lambda point: energy(point.replace(x=point.x - torch.tensor([0.0, 9.0]))))  # pushed beyond 1
    state, _ = sampler.step(seen, sampler.init(start, stream(0, 0, "x")), tail=Tail())
    assert state.point.x[0, 1] == 1.0
    through = torch.autograd.grad(state.point.x[0], energy.theta, torch.tensor([0.0, 1.0]).double(), retain_graph=True)
    assert float(through[0]) == 0
    free = torch.autograd.grad(state.point.x[0], energy.theta, torch.tensor([1.0, 0.0]).double())
    assert float(free[0]) == pytest.approx(-ETA * 0.5)


# --- the terms


def made(n=5, m=7, seed=0):
    draw = partial(torch.randn, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return draw(n, 3).requires_grad_(), draw(m, 3)


@pytest.mark.parametrize(("rows", "reference"), [(32, 100), (2, 3)])
def test_entropy_is_that_of_its_rows_among_its_references(rows, reference):
    tail, others = made()
    phases = phases_of(Gaussian(), tail, Gaussian(), reference=others)
    losses = objective(w_ent=0.3, rows=rows, reference=reference, epsilon=0.01).losses(None, phases)
    expected = -0.3 * log_nearest_distance(tail[:rows], others[:reference], 0.01).mean()
    torch.testing.assert_close(losses["entropy"], expected)
    torch.testing.assert_close(losses["kl"], phases.evaluate("tail")[:rows].mean())
    (pull,) = torch.autograd.grad(losses["entropy"], tail, retain_graph=True)
    assert pull[:rows].any(dim=1).all() and not pull[rows:].any()
    apart = objective(w_ent=0.3, rows=rows, reference=reference, epsilon=0.01).losses(
        None, phases_of(Gaussian(), (tail - 0.1 * pull).detach().requires_grad_(), Gaussian(), reference=others)
    )
    assert apart["entropy"] < losses["entropy"], "descending it takes the ends apart"


def test_entropy_is_off_until_there_are_references():
    tail, others = made()
    assert set(objective().losses(None, phases_of(Gaussian(), tail, Gaussian()))) == {"kl"}
    assert set(objective().losses(None, phases_of(Gaussian(), tail, Gaussian(), reference=others))) == {"kl", "entropy"}


def test_distances_are_of_x_alone():
    tail, others = made()
    plain = phases_of(Gaussian(), tail, Gaussian(), reference=others)
    far = Point(x=others, aux={"fog": torch.full((7,), 1e6)})
    foggy = Phases(
        energy=Gaussian(), batch=plain.batch, positive=plain.positive, negative=plain.negative,
        tail=Point(x=tail, aux={"fog": torch.zeros(5)}), reference=far, constant=Gaussian(),
    )  # fmt: skip
    assert torch.equal(objective().losses(None, foggy)["entropy"], objective().losses(None, plain)["entropy"])


@pytest.mark.parametrize(
    ("config", "needs"),
    [
        ({}, (1, 32, 100, 1000)),
        ({"moves": 3, "rows": 128, "reference": 50, "fill": 0}, (3, 128, 50, 0)),
        ({"w_ent": 0}, (1, 32, 0, 0)),
        ({"w_kl": 0}, (1, 32, 100, 1000)),
    ],
)
def test_it_asks_for_what_its_terms_look_at(config, needs):
    found = objective(**config).requires
    assert (found.tail_moves, found.tail_rows, found.reference, found.reference_fill) == needs and found.negatives


def test_a_term_without_weight_is_not_computed():
    tail, others = made()
    phases = phases_of(Gaussian(), tail, Gaussian(), reference=others)
    assert set(objective(w_kl=0).losses(None, phases)) == {"entropy"}
    assert set(objective(w_ent=0).losses(None, phases)) == {"kl"}


# --- augmented references

IMAGES = BuildContext(event_shape=(1, 8, 8), value_range=(0.0, 1.0))


def test_references_are_augmented_from_the_step_s_own_stream():
    x, c = torch.rand(2, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    phases = phases_of(None, x, None, reference=c)
    before = torch.get_rng_state()
    strong = build("objective", "improved-cd", context=IMAGES, w_kl=0, augment_reference="strong")
    found = strong.losses(None, phases)["entropy"]
    changed = augment(c, phases.rng("improved-cd"), PRESETS["strong"], (0.0, 1.0))
    torch.testing.assert_close(found, -0.3 * log_nearest_distance(x, changed, 1e-4).mean())
    plain = build("objective", "improved-cd", context=IMAGES, w_kl=0).losses(None, phases)["entropy"]
    assert found != plain and torch.equal(before, torch.get_rng_state())


def test_the_colour_jitter_of_references_has_a_strength():
    context = IMAGES.replace(event_shape=(3, 8, 8))
    x, c = torch.rand(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    phases, found = phases_of(None, x, None, reference=c), {}
    for strength in (0.0, 1.0, 2.0):
        made = build(
            "objective", "improved-cd", context=context, w_kl=0, augment_reference="strong", augment_strength=strength
        )
        found[strength] = made.losses(None, phases)["entropy"]
        changed = augment(c, phases.rng("improved-cd"), PRESETS["strong"].jittered(strength), (0.0, 1.0))
        torch.testing.assert_close(found[strength], -0.3 * log_nearest_distance(x, changed, 1e-4).mean())
    assert len(set(map(float, found.values()))) == 3


class Fog:
    name, noises_x, n_values, leaves_data = "fog", True, None, True


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event_shape": (2,)}, "a datum has shape"),
        ({"value_range": None}, "value range"),
        ({"coordinates": (Fog(),)}, "fog takes x out of it"),
    ],
)
def test_references_that_cannot_be_augmented_are_refused(change, message):
    context = IMAGES.replace(**change)
    assert build("objective", "improved-cd", context=context).requires.tail_moves == 1
    with pytest.raises(CapabilityError, match=message):
        build("objective", "improved-cd", context=context, augment_reference="gentle")


@pytest.mark.parametrize(
    "wrong",
    [
        {"w_kl": -1},
        {"rows": 0},
        {"moves": 0},
        {"reference": 0},
        {"epsilon": 0.0},
        {"fill": -1},
        {"augment_strength": 2.1},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        build("objective", "improved-cd", **wrong)

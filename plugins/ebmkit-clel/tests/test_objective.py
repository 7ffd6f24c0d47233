"""Laws of the objective: who learns from what, and how much of the datum counts."""

import pytest
import torch
from ebmkit_clel.losses import guidance, nt_xent
from ebmkit_clel.objective import Clel, signal
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ebmkit import Batch, BuildContext, CapabilityError, Phases, Point, RecipeError
from ebmkit.assembly.build import build
from ebmkit.protocols.guided import Encodes
from ebmkit.rng import stream

SHAPE, N = (1, 8, 8), 6
CONTEXT = BuildContext(event_shape=SHAPE, value_range=(0.0, 1.0), batch_size=N)


class Fog:
    """A fake coordinate: how much of the datum is left, as the point itself says."""

    noises_x = False
    n_values = None
    leaves_data = False

    def __init__(self, name="fog"):
        self.name = name

    def prior(self, n, point, rng, purpose="buffer"):
        return point.with_aux(**{self.name: torch.rand(n, generator=rng)})

    def signal(self, point):
        return point.aux[self.name]


def made(coordinates=(), **config):
    context = CONTEXT.replace(coordinates=coordinates)
    inner = build("energy", "resnet", context=context, head="half-squared-norm", widths=(4,), hidden=8, features=5)
    energy = build("wrapper", "latent-head", context=context.replace(inner=inner), latent=3, hidden=16)
    config = {"encoder": "small", "width": 4} | config
    return energy, build("objective", "clel", context=context.replace(inner=energy, seed=5), **config)


def phases_of(energy, step=0, negatives=True, aux=None, **fog):
    x, y = torch.rand(2, N, *SHAPE, generator=torch.Generator().manual_seed(step))
    up, down = fog.get("positive", {}), fog.get("negative", {})
    return Phases(
        energy=energy,
        batch=Batch(x=x),
        positive=Point(x=x, aux=up),
        negative=Point(x=y, aux=down).map(lambda t: t.clone().requires_grad_()) if negatives else None,
        abilities=frozenset({"energy", "latent"}),
        rng=lambda part: stream(0, step, part),
    )


def moved(module):
    return [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in module.parameters()]


@pytest.mark.parametrize("target", ["third-view", "first-view"])
def test_guidance_moves_the_energy_alone(target):
    energy, clel = made(target=target)
    phases = phases_of(energy)
    clel.losses(energy, phases)["guidance"].backward()
    assert all(p.grad is None for p in clel.parameters())
    assert all(moved(energy.g)) and any(moved(energy.inner))
    assert not phases.negative.x.grad.abs().any(), "the latent has no negative phase"


def test_contrast_moves_the_encoder_alone():
    energy, clel = made()
    phases = phases_of(energy)
    clel.losses(energy, phases)["contrastive"].backward()
    assert all(p.grad is None for p in energy.parameters())
    assert phases.negative.x.grad is None
    assert any(moved(clel.encoder.head)) and any(moved(clel.encoder.body))


def test_the_extra_keys_are_the_negatives_latents_held_constant():
    energy, clel = made()
    phases = phases_of(energy)
    loss = clel.losses(energy, phases)["contrastive"]
    again = phases_of(energy)
    _, a, b = clel._encoded_views(again)
    expected = nt_xent(a, b, phases.evaluate("negative", "latent").detach(), temperature=0.2)
    torch.testing.assert_close(loss, expected)
    without = made(negative_keys=False)[1].losses(energy, phases_of(energy))["contrastive"]
    assert without < loss


def test_the_target_is_a_view_of_its_own_or_the_first_of_the_two():
    energy, clel = made()
    own, a, _ = clel._encoded_views(phases_of(energy))
    assert not own.requires_grad and a.requires_grad and not torch.equal(own, a)
    energy, clel = made(target="first-view")
    first, a, _ = clel._encoded_views(phases_of(energy))
    assert torch.equal(first, a) and not first.requires_grad


def test_the_encoder_normalises_over_the_batch_for_the_target_too():
    energy, clel = made()
    norm = next(m for m in clel.modules() if isinstance(m, nn.BatchNorm2d))
    clel._encoded_views(phases_of(energy))
    assert int(norm.num_batches_tracked) == 2


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_encoding_is_constant_and_leaves_the_encoder_as_it_was(seed):
    _, clel = made()
    x = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(seed))
    before = {key: value.clone() for key, value in clel.state_dict().items()}
    latent = clel.encode(x)
    assert not latent.requires_grad and latent.shape == (5, 3) and clel.encoder.training
    torch.testing.assert_close(latent.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(clel.encode(x[:2]), latent[:2])  # rows do not see each other
    assert all(torch.equal(before[key], value) for key, value in clel.state_dict().items())


def test_encoding_many_images_takes_them_in_turn():
    _, clel = made()
    x = torch.rand(300, *SHAPE)
    torch.testing.assert_close(clel.encode(x)[290:], clel.encode(x[290:]))


def test_without_negatives_there_are_no_extra_keys():
    energy, clel = made()
    losses = clel.losses(energy, phases_of(energy, negatives=False))
    _, a, b = clel._encoded_views(phases_of(energy))
    torch.testing.assert_close(losses["contrastive"], nt_xent(a, b, temperature=0.2))
    assert not Clel.requires.negatives


@settings(max_examples=10)
@given(weights=st.lists(st.floats(0.0, 1.0), min_size=N, max_size=N))
def test_guidance_is_weighted_by_the_signal_of_every_coordinate(weights):
    half = torch.full((N,), 0.5)
    aux = {"fog": torch.tensor(weights), "mist": half}
    energy, clel = made(coordinates=(Fog(), Fog("mist")))
    phases = phases_of(energy, positive=aux, negative=aux)
    target, _, _ = clel._encoded_views(phases)
    expected = -0.01 * guidance(phases.evaluate("positive", "latent"), target, 0.5 * aux["fog"])
    torch.testing.assert_close(clel.losses(energy, phases)["guidance"], expected)


def test_weighting_can_be_switched_off():
    energy, clel = made(coordinates=(Fog(),), weighting="none")
    gone = {"fog": torch.zeros(N)}
    assert clel.losses(energy, phases_of(energy, positive=gone, negative=gone))["guidance"] != 0
    energy, clel = made(coordinates=(Fog(),))
    assert clel.losses(energy, phases_of(energy, positive=gone, negative=gone))["guidance"] == 0


@pytest.mark.parametrize(("key_signal", "n_keys"), [(0.0, 6), (0.5, 4), (1.0, 1)])
def test_only_negatives_that_still_hold_a_datum_serve_as_keys(key_signal, n_keys):
    energy, clel = made(coordinates=(Fog(),), key_signal=key_signal)
    held = {"fog": torch.tensor([0.0, 0.49, 0.5, 0.7, 0.9, 1.0])}
    phases = phases_of(energy, positive=held, negative=held)
    keys, mask = clel._extra_keys(phases)
    assert int(mask.sum()) == n_keys
    _, a, b = clel._encoded_views(phases)
    expected = nt_xent(a, b, keys[mask], temperature=0.2)
    torch.testing.assert_close(clel.losses(energy, phases)["contrastive"], expected)


def test_the_signal_of_no_coordinate_is_one():
    assert torch.equal(signal((), Point(x=torch.zeros(3, 2))), torch.ones(3))


def test_views_come_from_the_step_and_never_from_the_global_stream():
    energy, clel = made()
    energy.eval()  # in training mode its power iterations go on
    before = torch.get_rng_state()
    losses = [clel.losses(energy, phases_of(energy, step))["contrastive"].detach() for step in (1, 1, 2)]
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(losses[0], losses[1]) and not torch.equal(losses[0], losses[2])


def test_the_encoder_comes_from_the_seed_alone():
    torch.manual_seed(1)
    first = made()[1].state_dict()
    torch.manual_seed(2)
    assert all(torch.equal(first[key], value) for key, value in made()[1].state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event_shape": (2,)}, "contrastive views"),
        ({"event_shape": (4, 8, 8)}, "contrastive views"),
        ({"value_range": None}, "value range"),
        ({"batch_size": 1}, "batch"),
        ({"inner": None}, "latent-head"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_built(change, message):
    energy, _ = made()
    with pytest.raises(CapabilityError, match=message):
        build("objective", "clel", context=CONTEXT.replace(inner=energy).replace(**change))


def test_two_strengths_of_one_joint_energy_are_refused():
    energy, _ = made()
    with pytest.raises(CapabilityError, match="one β"):
        build("objective", "clel", context=CONTEXT.replace(inner=energy), beta=0.02)
    with pytest.raises(RecipeError, match="beta"):
        build("objective", "clel", context=CONTEXT.replace(inner=energy), beta=-1.0)


class Forwarding(nn.Module):
    """A wrapper that forwards a latent, and says how strong it is."""

    def __init__(self, inner):
        super().__init__()
        self.within, self.abilities = inner, inner.abilities

    @property
    def guidance_strength(self):
        return self.within.guidance_strength

    def evaluate(self, point, *abilities):
        return self.within.evaluate(point, *abilities)


def test_two_strengths_are_refused_through_a_wrapper_too():
    energy, _ = made()
    context = CONTEXT.replace(inner=Forwarding(energy))
    assert isinstance(build("objective", "clel", context=context, encoder="small", beta=energy.beta), Encodes)
    with pytest.raises(CapabilityError, match="one β"):
        build("objective", "clel", context=context, beta=2 * energy.beta)

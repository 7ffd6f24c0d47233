"""Laws of the latent head: the energy of x stays as it is, and the joint energy is the published one."""

import copy
from functools import cache
from math import sinh, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import ebmkit
from ebmkit import BuildContext, CapabilityError, Point
from ebmkit.assembly.build import build
from ebmkit.views.view import view

SHAPE = (1, 8, 8)
CONTEXT = BuildContext(event_shape=SHAPE, value_range=(0.0, 1.0))
seeds = st.integers(0, 2**31)
few = settings(max_examples=12)


def backbone(kind="resnet", seed=0):
    settings = {"resnet": {"widths": (4, 6), "hidden": 8, "features": 5}, "mlp": {"widths": (8, 5)}}[kind]
    context = CONTEXT.replace(seed=seed)
    return build("energy", kind, context=context, head="half-squared-norm", **settings)


def headed(inner, beta=0.5, latent=3, coordinates=(), seed=1):
    context = CONTEXT.replace(inner=inner, coordinates=coordinates, seed=seed)
    return build("wrapper", "latent-head", context=context, latent=latent, hidden=16, beta=beta)


def one_headed(beta=0.5):
    """A headed energy in evaluation mode, made once for each β: a copy of the caller's own."""
    return copy.deepcopy(_one_headed(beta))


@cache
def _one_headed(beta):
    return headed(backbone(), beta=beta).eval()


def images(n, seed):
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(seed))


def units(n, d, seed):
    return functional.normalize(torch.randn(n, d, generator=torch.Generator().manual_seed(seed)), dim=1)


class Counted(nn.Module):
    """An energy that counts its passes and sees whether a latent reaches it."""

    abilities = frozenset({"energy", "features", "levels.level"})

    def __init__(self, n_levels=4):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.n_levels, self.passes, self.saw_latent = n_levels, 0, False

    def features(self, x, level):
        return self.scale * torch.stack([x.sum(1) + level, x.prod(1) - level, x[:, 0] * (level + 1)], dim=1)

    def evaluate(self, point, *abilities):
        self.passes += 1
        self.saw_latent |= "latent" in point.aux
        level = point.aux.get("level", torch.zeros(len(point)))
        f = self.features(point.x, level)
        every = [self.features(point.x, torch.full((len(point),), float(i))) for i in range(self.n_levels)]
        values = {
            "energy": 0.5 * f.square().sum(1),
            "features": f,
            "levels.level": torch.stack([0.5 * e.square().sum(1) for e in every], dim=1),
        }
        return {name: values[name] for name in abilities}

    def forward(self, point):
        return self.evaluate(point, "energy")["energy"]


def counted(**settings):
    inner = Counted()
    context = BuildContext(event_shape=(2,), inner=inner)
    return inner, build("wrapper", "latent-head", context=context, latent=3, hidden=16, **settings)


@pytest.mark.parametrize("kind", ["resnet", "mlp"])
@few
@given(seed=seeds, n=st.integers(1, 4))
def test_attaching_it_changes_no_energy(kind, seed, n):
    bare, inner = backbone(kind, seed), backbone(kind, seed)
    energy = headed(inner, seed=seed)
    point = Point(x=images(n, seed))
    for _ in range(2):  # in training mode each pass advances the power iterations, and must do so alike
        assert torch.equal(energy(point), bare(point))
    assert torch.equal(energy.evaluate(point, "energy", "latent")["energy"], bare(point))
    gradients = [view(e).gradient(point) for e in (energy, bare)]
    assert torch.equal(*gradients)
    assert all(torch.equal(a, b) for a, b in zip(inner.state_dict().values(), bare.state_dict().values(), strict=True))


@few
@given(seed=seeds, n=st.integers(1, 4))
def test_latents_are_unit_vectors_in_fp32(seed, n):
    latent = one_headed().latent(Point(x=images(n, seed)))
    assert latent.dtype == torch.float32 and latent.shape == (n, 3)
    torch.testing.assert_close(latent.norm(dim=1), torch.ones(n))


@given(seed=seeds, factor=st.floats(1e-3, 1e3))
def test_the_head_is_positively_homogeneous(seed, factor):
    head = one_headed().double()
    assert not any(name.endswith("bias") for name, _ in head.g.named_parameters())
    features = torch.randn(4, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    torch.testing.assert_close(head.g(factor * features), factor * head.g(features), rtol=1e-6, atol=0)
    torch.testing.assert_close(head.direction(factor * features), head.direction(features))


@few
@given(seed=seeds, beta=st.floats(0.01, 10.0), norm=st.floats(0.0, 3.0))
def test_a_point_with_a_latent_has_the_joint_energy(seed, beta, norm):
    energy = one_headed()
    energy.beta = beta
    point, s = Point(x=images(4, seed)), norm * units(4, 3, seed)
    joint = energy.evaluate(point, "energy")["energy"] - beta * (energy.latent(point) * s).sum(1)
    torch.testing.assert_close(energy(point.with_aux(latent=s)), joint)


@few
@given(seed=seeds, weights=st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=5))
def test_many_conditions_are_one_along_their_weighted_sum(seed, weights):
    energy = one_headed()
    point, zs = Point(x=images(3, seed)), units(len(weights), 3, seed)
    each = [energy(point.with_aux(latent=z.expand(3, -1))) - energy(point) for z in zs]
    s = sum(w * z for w, z in zip(weights, zs, strict=True)).expand(3, -1)
    together = energy(point) + sum(w * e for w, e in zip(weights, each, strict=True))
    torch.testing.assert_close(energy(point.with_aux(latent=s)), together)


@pytest.mark.parametrize("kappa", [0.5, 3.0])
def test_the_latent_integrates_out_to_the_same_constant_everywhere(kappa):
    """Mean over z uniform on the sphere of exp(κ⟨g, z⟩) is sinh κ/κ in three dimensions, whatever x is."""
    n = 20_000
    energy = headed(backbone("mlp"), beta=kappa).eval()
    with torch.no_grad():
        for seed in (0, 1):
            point = Point(x=images(1, seed).expand(n, *SHAPE))
            ratios = (energy(point) - energy(point.with_aux(latent=units(n, 3, seed + 7)))).exp()
            assert abs(float(ratios.mean()) - sinh(kappa) / kappa) < 5 * float(ratios.std()) / sqrt(n)


def test_one_pass_of_the_inner_energy_serves_everything():
    inner, energy = counted()
    point = Point(x=torch.randn(3, 2)).with_aux(latent=units(3, 3, 0))
    inner.passes = 0
    values = energy.evaluate(point, "latent", "energy", "features")
    assert inner.passes == 1 and list(values) == ["latent", "energy", "features"] and not inner.saw_latent


def test_every_other_ability_is_forwarded():
    inner, energy = counted()
    point = Point(x=torch.randn(3, 2), aux={"level": torch.arange(3)})
    assert energy.abilities == inner.abilities | {"latent"}
    for name in inner.abilities:
        assert torch.equal(energy.evaluate(point, name)[name], inner.evaluate(point, name)[name])


def test_levels_of_a_conditioned_point_are_joint_energies():
    inner, energy = counted(beta=2.0)
    point = Point(x=torch.randn(3, 2), aux={"latent": units(3, 3, 1)})
    each = [energy(point.with_aux(level=torch.full((3,), i))) for i in range(inner.n_levels)]
    torch.testing.assert_close(energy.evaluate(point, "levels.level")["levels.level"], torch.stack(each, dim=1))


@pytest.mark.parametrize("rows", [1, 5, 12, 100])
def test_levels_of_a_conditioned_point_take_a_bounded_number_of_rows(rows, monkeypatch):
    inner, energy = counted(beta=2.0)
    point = Point(x=torch.randn(3, 2), aux={"latent": units(3, 3, 1)})
    whole = energy.evaluate(point, "levels.level")["levels.level"]
    seen, asked = [], inner.evaluate
    monkeypatch.setattr(inner, "evaluate", lambda p, *names: (seen.append(len(p)), asked(p, *names))[1])
    energy.rows = rows
    torch.testing.assert_close(energy.evaluate(point, "levels.level")["levels.level"], whole)
    assert seen[0] == 3 and sum(seen[1:]) == 12 and max(seen[1:]) == min(rows, 12)


@few
@given(seed=seeds)
def test_the_frozen_view_agrees_with_the_live_energy(seed):
    energy = one_headed()
    point = Point(x=images(4, seed).requires_grad_(), aux={"latent": units(4, 3, seed)})
    value = energy(point)
    (gradient,) = torch.autograd.grad(value.sum(), point.x)
    seen = view(energy)
    torch.testing.assert_close(seen.energy(point), value.detach())
    torch.testing.assert_close(seen.gradient(point), gradient)


def test_the_bf16_view_follows_the_live_energy():
    energy = headed(backbone(), beta=10.0)
    with torch.no_grad():
        energy.inner.output.weight.mul_(100)  # features of a trained size
    energy.eval()
    point = Point(x=images(8, 3).requires_grad_(), aux={"latent": units(8, 3, 3)})
    (gradient,) = torch.autograd.grad(energy(point).sum(), point.x)
    seen = view(energy, "bf16").gradient(point)
    assert functional.cosine_similarity(seen.flatten(), gradient.flatten(), dim=0) > 0.98


def test_building_it_leaves_the_inner_energy_as_it_was():
    inner = backbone()
    before, mode = copy.deepcopy(inner.state_dict()), inner.training
    headed(inner)
    assert inner.training == mode
    assert all(torch.equal(before[key], value) for key, value in inner.state_dict().items())


def test_its_weights_come_from_the_seed_alone():
    first, again, other = (headed(backbone(), seed=s).g[0].weight for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_an_energy_without_features_is_refused():
    with pytest.raises(CapabilityError, match="features"):
        headed(ebmkit.energy(lambda x: x.flatten(1).sum(1)))
    with pytest.raises(CapabilityError, match="wraps an energy"):
        build("wrapper", "latent-head")

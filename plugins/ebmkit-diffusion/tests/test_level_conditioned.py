"""Laws of an energy whose blocks hear the level."""

from dataclasses import replace

import pytest
import torch
from ebmkit_diffusion.level_conditioned import LevelConditioned
from ebmkit_diffusion.level_embedding import LevelBase
from ebmkit_diffusion.level_gaussians import gaussians_of
from ebmkit_diffusion.wrapper_declarations import LevelConditionedConfig
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ebmkit import BuildContext, CapabilityError, Point, view
from ebmkit.assembly.build import build
from ebmkit.energies.heads import CONDITION
from ebmkit.protocols.energy import values_of
from ebmkit.protocols.guided import guidance_strength

SHAPES = {"mlp": (2,), "resnet": (1, 8, 8)}


def wrapped(backbone="mlp", wrapper="level-conditioned", backbone_head="half-squared-norm", noise_levels=4, **config):
    context = BuildContext(event_shape=SHAPES[backbone])
    level = build("coordinate", "level", context=context, noise_levels=noise_levels)
    context = context.replace(coordinates=(level,))
    small = {"widths": (4, 4), "hidden": 8, "features": 6, "mean": (0.0,)} if backbone == "resnet" else {"widths": (8,)}
    hears = {"conditioning": 5} if wrapper == "level-conditioned" else {}
    inner = build("energy", backbone, context=context, head=backbone_head, **hears, **small)
    own = {"conditioning": 5} if hears else {"embedding": 5}
    return build("wrapper", wrapper, context=context.replace(inner=inner), **own, **config)


def points(n, shape=(2,), n_levels=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    level = torch.randint(n_levels, (n,), generator=rng)
    return Point(x=torch.randn(n, *shape, generator=rng), aux={"level": level})


def stirred(energy, seed=0):
    """Gives every parameter a value, so that nothing is equal because it is still zero."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in energy.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=rng))
    return energy


@given(
    st.sampled_from(["inner", "bilinear"]), st.sampled_from(["none", "gaussian"]), st.integers(1, 9), st.integers(1, 40)
)
def test_the_energy_is_the_column_of_its_level(head, base, n, rows):
    energy = stirred(wrapped(head=head, base=base, rows=rows)).double()
    point = points(n)
    point = point.replace(x=point.x.double())
    levels = energy.levels(point.without("level"))
    assert levels.shape == (n, 5) and levels.std() > 0
    assert torch.allclose(levels.gather(1, point.aux["level"][:, None])[:, 0], energy(point), atol=1e-12)


@pytest.mark.parametrize("head", ["inner", "bilinear"])
@pytest.mark.parametrize("backbone", ["mlp", "resnet"])
def test_everything_asked_at_once_is_what_is_asked_one_by_one(backbone, head):
    energy = stirred(wrapped(backbone, head=head)).eval()
    point = points(6, SHAPES[backbone])
    values = energy.evaluate(point, "levels.level", "features", "energy")
    for name in ("levels.level", "features", "energy"):
        assert torch.allclose(values[name], energy.evaluate(point, name)[name], atol=1e-5), name
    assert list(values) == ["levels.level", "features", "energy"]


def test_the_level_enters_the_blocks():
    energy, point = stirred(wrapped()), points(4)
    features = [energy.evaluate(point.with_aux(level=torch.full((4,), t)), "features")["features"] for t in (0, 3)]
    assert not torch.allclose(features[0], features[1])


def test_the_inner_head_with_an_offset_is_the_half_squared_norm_of_features_and_a_constant_of_the_level():
    energy, point = stirred(wrapped()), points(30)
    rest = energy(point) - energy.evaluate(point, "features")["features"].square().sum(dim=1) / 2
    for t in range(5):
        assert rest[point.aux["level"] == t].std(unbiased=False) < 1e-4


def test_other_entries_and_a_condition_from_outside_are_passed_on():
    energy, point = stirred(wrapped()), points(3)
    more = point.with_aux(**{CONDITION: torch.ones(3, 5)}, colour=torch.arange(3))
    assert not torch.allclose(energy(more), energy(point))
    assert torch.equal(energy(point.with_aux(colour=torch.arange(3))), energy(point))


def test_a_point_without_a_level_is_refused():
    with pytest.raises(CapabilityError, match="Add --coordinate level"):
        wrapped()(points(2).without("level"))


def test_a_backbone_that_expects_another_length_is_refused_when_built():
    context = BuildContext(event_shape=(2,))
    context = context.replace(coordinates=(build("coordinate", "level", context=context),))
    inner = build("energy", "mlp", context=context, conditioning=7)
    with pytest.raises(CapabilityError, match="conditioning"):
        build("wrapper", "level-conditioned", context=context.replace(inner=inner), conditioning=5)


def test_an_ability_it_does_not_have_is_named():
    with pytest.raises(CapabilityError, match="latent"):
        wrapped().evaluate(points(2), "latent")


@pytest.mark.parametrize("wrapper", ["level-conditioned", "level-head"])
@pytest.mark.parametrize("backbone", ["mlp", "resnet"])
def test_the_frozen_view_gives_levels_energies_and_gradients(backbone, wrapper):
    energy, point = stirred(wrapped(backbone, wrapper)), points(5, SHAPES[backbone])
    energy.eval()
    for precision, close in (("fp32", 1e-4), ("bf16", 0.1)):
        seen = view(energy, precision)
        assert torch.equal(seen.energy(point), energy(point).detach())
        assert torch.allclose(seen.levels(point, "level"), energy.levels(point).detach(), rtol=1e-5, atol=1e-4)
        x = point.x.clone().requires_grad_()
        (exact,) = torch.autograd.grad(energy(point.replace(x=x)).sum(), x)
        assert (seen.gradient(point) - exact).norm() <= close * exact.norm()


def test_the_gaussian_base_is_the_energy_of_diffused_gaussian_data():
    energy = wrapped(base="gaussian", base_mean=0.5, base_sd=0.3, backbone_head="linear")
    with torch.no_grad():
        for parameter in energy.parameters():
            parameter.zero_()
    point, level = points(40), build("coordinate", "level", noise_levels=4)
    kept = level.signals[point.aux["level"]][:, None]
    law = torch.distributions.Normal(0.5 * kept.sqrt(), (kept * 0.09 + 1 - kept).sqrt())
    exact = -law.log_prob(point.x).sum(dim=1)
    assert torch.allclose(energy(point) - energy(point)[0], exact - exact[0], rtol=1e-3, atol=1e-3)
    levels = values_of(energy, point, "levels.level")["levels.level"]
    assert torch.allclose(levels.gather(1, point.aux["level"][:, None])[:, 0], energy(point), atol=1e-4)


class Striped(nn.Module):
    """½‖f‖² with f = Wx + colour + ½c, and the energies of three colours at once."""

    abilities = frozenset({"energy", "features", "levels.colour"})

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 5)

    def evaluate(self, point, *abilities):
        def features(colour):
            return self.layer(point.x) + colour[:, None] + point.aux[CONDITION] / 2

        every = (
            [features(torch.full((len(point),), float(i))) for i in range(3)] if "levels.colour" in abilities else []
        )
        given = {"levels.colour": lambda: torch.stack([f.square().sum(1) / 2 for f in every], dim=1)}
        own = features(point.aux["colour"].float()) if {"energy", "features"} & set(abilities) else None
        given |= {"features": lambda: own, "energy": lambda: own.square().sum(1) / 2}
        return {name: given[name]() for name in abilities}

    def forward(self, point):
        return self.evaluate(point, "energy")["energy"]


def test_all_values_of_another_coordinate_are_those_at_the_level_of_the_point():
    context = BuildContext(event_shape=(2,))
    context = context.replace(coordinates=(build("coordinate", "level", context=context, noise_levels=4),))
    level = context.coordinate("level")
    config = LevelConditionedConfig(conditioning=5, base="gaussian", rows=7)
    base = LevelBase(config, level, gaussians_of(config, level, context), 1.0)
    energy = stirred(LevelConditioned(config, Striped(), level, base, n_features=5)).eval()
    point = points(6).with_aux(colour=torch.tensor([0, 1, 2, 2, 1, 0]))
    colours = energy.evaluate(point.without("colour"), "levels.colour")["levels.colour"]
    each = [energy(point.with_aux(colour=torch.full((6,), i))) for i in range(3)]
    torch.testing.assert_close(colours, torch.stack(each, dim=1))
    both = energy.evaluate(point, "levels.level", "levels.colour")
    torch.testing.assert_close(both["levels.colour"], colours)
    torch.testing.assert_close(both["levels.level"], energy.levels(point))
    bilinear = LevelConditioned(replace(config, head="bilinear"), Striped(), level, base, n_features=5)
    assert bilinear.abilities == {"energy", "features", "levels.level"}


def test_a_latent_says_its_strength_through_the_level():
    energy = wrapped()
    assert energy.guidance_strength is None
    energy.inner.guidance_strength = 0.25
    assert energy.guidance_strength == guidance_strength(energy) == 0.25

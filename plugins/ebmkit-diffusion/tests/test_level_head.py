"""Laws of an energy with the level after the backbone."""

import pytest
import torch
from ebmkit_diffusion.level_embedding import LevelBase
from ebmkit_diffusion.level_gaussians import gaussians_of
from ebmkit_diffusion.level_head import LevelHead, all_half_squared_norms
from ebmkit_diffusion.wrapper_declarations import LevelHeadConfig
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ebmkit import BuildContext, CapabilityError, Point
from ebmkit.assembly.build import build
from ebmkit.protocols.energy import values_of


class Backbone(nn.Module):
    """Two layers; counts its passes and the rows of each."""

    abilities = frozenset({"energy", "features"})

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, 4))
        self.rows = []

    def evaluate(self, point, *abilities):
        assert "level" not in point.aux
        self.rows.append(len(point))
        features = self.layers(point.x)
        return {name: {"features": features, "energy": features.square().sum(1)}[name] for name in abilities}


def headed(n_levels=6, **config):
    torch.manual_seed(0)
    context = BuildContext(event_shape=(3,))
    level = build("coordinate", "level", context=context, noise_levels=n_levels - 1)
    settings = LevelHeadConfig(embedding=8, **config)
    base = LevelBase(settings, level, gaussians_of(settings, level, context), temperature=1.0)
    energy = LevelHead(settings, Backbone(), level, base, n_features=4)
    with torch.no_grad():
        for parameter in energy.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    return energy


def points(n, n_levels=6):
    return Point(x=torch.randn(n, 3), aux={"level": torch.randint(n_levels, (n,))})


@given(st.sampled_from(["half-squared-norm", "bilinear"]), st.sampled_from(["none", "gaussian"]), st.integers(1, 9))
def test_the_energy_is_the_column_of_its_level(head, base, n):
    energy, point = headed(head=head, base=base).double(), points(n)
    point = point.replace(x=point.x.double())
    levels = energy.levels(point.without("level"))
    assert levels.shape == (n, 6) and levels.std() > 0
    assert torch.allclose(levels.gather(1, point.aux["level"][:, None])[:, 0], energy(point), atol=1e-10)


@pytest.mark.parametrize("n_levels", [2, 51, 400])
def test_all_levels_cost_one_pass_whatever_their_number(n_levels):
    energy, point = headed(n_levels), points(7, n_levels)
    values_of(energy, point, "levels.level", "energy", "features")
    assert energy.inner.rows == [7]


def test_norms_of_all_levels_are_multiplied_out():
    features, gain, shift = torch.randn(5, 4).double(), torch.randn(3, 4).double(), torch.randn(3, 4).double()
    plain = (gain * features[:, None] + shift).square().sum(dim=2) / 2
    assert torch.allclose(all_half_squared_norms(features, gain, shift), plain)


def test_with_norms_the_energy_is_that_of_its_own_features_and_a_constant_of_the_level():
    energy, point = headed(head="half-squared-norm"), points(60)
    rest = energy(point) - energy.evaluate(point, "features")["features"].square().sum(dim=1) / 2
    for t in range(6):
        assert rest[point.aux["level"] == t].std(unbiased=False) < 1e-4


def test_where_the_energy_is_the_bases_alone_the_features_still_have_a_direction():
    energy, point = headed(head="half-squared-norm", base="gaussian", pin_last=True), points(60)
    features = energy.evaluate(point, "features")["features"]
    assert float(features.detach().norm(dim=1).min()) > 0
    rest = energy(point) - energy.base.at(point)
    last = point.aux["level"] == 5
    assert bool(last.any()) and float(rest[last].detach().abs().max()) < 1e-4 < float(rest[~last].detach().std())


def test_gradients_reach_the_backbone_and_the_level():
    energy, point = headed(head="half-squared-norm"), points(9)
    energy.levels(point).softmax(dim=1).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in energy.parameters())


def test_under_autocast_all_levels_keep_their_digits():
    energy, point = headed(head="bilinear", offset=1000.0), points(9)
    features = energy.inner.layers(point.x)
    energy.inner.evaluate = lambda point, *abilities: {"features": features}
    exact = energy.levels(point)
    with torch.autocast("cpu", torch.bfloat16):
        assert (energy.levels(point) - exact).abs().max() < 0.5 * 1000 * 2**-8


def test_it_needs_an_energy_with_features_and_a_level():
    with pytest.raises(CapabilityError, match="found none"):
        build("wrapper", "level-head")
    with pytest.raises(CapabilityError, match="Add --coordinate level"):
        build("wrapper", "level-head", context=BuildContext(inner=build("energy", "mlp")))


def test_all_values_of_another_coordinate_do_not_come_out():
    """The head reads features, and those of the backbone are at the point's own value."""
    inner = Backbone()
    inner.abilities = inner.abilities | {"levels.colour"}
    settings, level = LevelHeadConfig(embedding=8), headed_level()
    energy = LevelHead(settings, inner, level, LevelBase(settings, level, None, 1.0), n_features=4)
    assert energy.abilities == {"energy", "features", "levels.level"}
    with pytest.raises(CapabilityError, match=r"levels\.colour"):
        energy.evaluate(points(2), "levels.colour")


def headed_level():
    return build("coordinate", "level", context=BuildContext(event_shape=(3,)), noise_levels=5)

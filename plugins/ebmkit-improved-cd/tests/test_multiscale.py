"""Laws of energies at several scales."""

from typing import Any

import pytest
import torch
from ebmkit_improved_cd.declarations import halved
from ebmkit_improved_cd.multiscale import Multiscale, pyramid
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ebmkit.assembly.build import build
from ebmkit.assembly.parts import build_energy
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.host import host
from ebmkit.point import Point
from ebmkit.protocols.energy import abilities_of, values_of
from ebmkit.recipes.recipe import Part, Recipe, from_toml, to_toml
from ebmkit.recipes.resolver.ordering import Capabilities, ordered
from ebmkit.recipes.resolver.resolve import resolve
from ebmkit.testing.energy_laws import check_alone, check_view

BACKBONE = {"widths": [4, 6], "hidden": 8, "features": 5}


def recipe(wrapper: dict[str, Any] | None, **energy: Any) -> Recipe:
    wrappers = () if wrapper is None else (Part("multiscale", wrapper),)
    return Recipe(parts={"energy": (Part("resnet", {**BACKBONE, **energy}),), "wrapper": wrappers})


def built(
    wrapper: dict[str, Any] | None, shape: tuple[int, ...] = (1, 12, 12), *, n_classes: int = 0, **energy: Any
) -> Any:
    context = BuildContext(event_shape=shape, seed=3, n_classes=n_classes)
    return build_energy(recipe(wrapper, **energy), context).eval()


def point(shape: tuple[int, ...] = (1, 12, 12), n: int = 3, **aux: Tensor) -> Point:
    return Point(x=torch.rand(n, *shape, generator=torch.Generator().manual_seed(0)), aux=aux)


@settings(max_examples=8)
@given(
    n_scales=st.integers(1, 4), channels=st.sampled_from([1, 3]), height=st.integers(16, 40), width=st.integers(16, 33),
    head=st.sampled_from(["linear", "half-squared-norm"]),
)  # fmt: skip
def test_the_energy_is_the_sum_over_scales_and_features_stand_side_by_side(
    n_scales: int, channels: int, height: int, width: int, head: str
) -> None:
    shape = (channels, height, width)
    energy, at = built({"n_scales": n_scales}, shape, head=head), point(shape)
    values, total, features, x = values_of(energy, at, "energy", "features"), torch.zeros(3), [], at.x
    for scale, network in enumerate(energy.networks):
        if scale:
            x, shape = nn.functional.avg_pool2d(x, 3, stride=2, padding=1), halved(shape)
        assert x.shape[1:] == shape
        total = total + network(Point(x=x))
        features.append(network.features(Point(x=x)))
    torch.testing.assert_close(values["energy"], total)
    assert torch.equal(values["features"], torch.cat(features, dim=1))
    if head == "half-squared-norm":
        torch.testing.assert_close(values["energy"], values["features"].square().sum(dim=1) / 2)


def test_one_scale_is_the_main_network_and_more_leave_it_as_it_is() -> None:
    main, at = built(None), point()
    assert torch.equal(built({"n_scales": 1})(at), main(at))
    assert torch.equal(built({"n_scales": 3}).networks[0](at), main(at))


def test_networks_are_separate_and_gradients_reach_each() -> None:
    energy, at = built({"n_scales": 3}), point()
    firsts = [network.trunks[0].stem for network in energy.networks]
    weights = [stem.parametrizations.weight.original for stem in firsts]
    assert len({id(w) for w in weights}) == 3 and not torch.equal(weights[0], weights[1])
    grads = torch.autograd.grad(energy(at).sum(), list(energy.parameters()), allow_unused=True)
    assert all(g is not None for g in grads)
    for network in energy.networks:
        own = torch.autograd.grad(energy(at).sum(), list(network.parameters()))
        assert any(g.abs().sum() > 0 for g in own)


def test_a_smaller_network_has_settings_of_its_own() -> None:
    energy = built({"n_scales": 4, "networks": [{}, {"widths": [4], "features": 3}]})
    assert [len(network.trunks[0].stages) for network in energy.networks] == [2, 2, 1, 2]
    assert values_of(energy, point(), "features")["features"].shape == (3, 5 + 5 + 3 + 5)
    with pytest.raises(RecipeError, match="width"):
        built({"networks": [{"width": 4}]})


def test_labels_and_conditions_reach_every_scale() -> None:
    energy = built({"n_scales": 2}, labels=True, n_classes=3)
    same = point(n=1).x.expand(3, -1, -1, -1)
    both = energy(Point(x=same, aux={"label": torch.arange(3)}))
    smaller = pyramid(same, 2)
    parts = [n(Point(x=x, aux={"label": torch.arange(3)})) for n, x in zip(energy.networks, smaller, strict=True)]
    assert all(len(set(part.tolist())) == 3 for part in parts)
    torch.testing.assert_close(both, parts[0] + parts[1])
    conditioned, c = built({"n_scales": 2}, conditioning=2), torch.eye(3)[:, :2].clone().requires_grad_()
    for network, x in zip(conditioned.networks, smaller, strict=True):
        assert torch.autograd.grad(network(Point(x=x, aux={"condition": c})).sum(), c)[0].abs().sum() > 0


class Levels(nn.Module):
    """Gives what a backbone does not: the energies of two levels, and a latent."""

    abilities = frozenset({"levels.level", "latent"})

    def evaluate(self, at: Point, *abilities: str) -> dict[str, Tensor]:
        e = at.x.flatten(1).sum(dim=1)
        all_of_it = {"energy": e, "levels.level": torch.stack([e, 2 * e], dim=1), "latent": e[:, None]}
        return {name: all_of_it[name] for name in abilities}

    def forward(self, at: Point) -> Tensor:
        return self.evaluate(at, "energy")["energy"]


def test_levels_are_summed_and_a_latent_does_not_come_out() -> None:
    energy, at = Multiscale([Levels(), Levels()]), point()
    assert abilities_of(energy) == {"energy", "levels.level"}
    pairs = zip(energy.networks, pyramid(at.x, 2), strict=True)
    wanted = sum(network.evaluate(Point(x=x), "levels.level")["levels.level"] for network, x in pairs)
    torch.testing.assert_close(values_of(energy, at, "levels.level")["levels.level"], wanted)
    for name in ("latent", "features"):
        with pytest.raises(CapabilityError, match=name):
            values_of(energy, at, name)
    assert abilities_of(Multiscale([Levels(), built(None)])) == {"energy"}


def test_rows_do_not_see_each_other_and_the_view_is_the_same_energy() -> None:
    energy, at = built({"n_scales": 3}, block="standardised", widths=[8, 16], activation="silu"), point()
    check_alone("It", energy, at)
    check_view(energy, at)


@pytest.mark.parametrize(
    ("wrapper", "shape", "found"),
    [
        ({"n_scales": 5}, (1, 12, 12), "12×12 has 5 scales|cannot build the energy at scale 4"),
        ({"n_scales": 6}, (1, 12, 12), "12×12 has 5 scales.*n_scales = 5 or fewer"),
        ({"n_scales": 8}, (3, 64, 7), "64×7 has 4 scales"),
        ({"n_scales": 2, "networks": [{}, {}]}, (1, 12, 12), "2 entries"),
        ({"networks": [{"widths": [4] * 5}]}, (1, 12, 12), "at scale 1, of 6×6 pixels.*wrapper.multiscale.networks"),
    ],
)  # fmt: skip
def test_what_cannot_be_scaled_says_why(wrapper: dict[str, Any], shape: tuple[int, ...], found: str) -> None:
    with pytest.raises(CapabilityError, match=found):
        built(wrapper, shape)


def test_it_wraps_images_only() -> None:
    context = BuildContext(event_shape=(2,), inner=Levels())
    with pytest.raises(CapabilityError, match="shape \\(2,\\)"):
        build("wrapper", "multiscale", context=context, n_scales=2)
    with pytest.raises(CapabilityError, match="make_inner"):
        build("wrapper", "multiscale", context=context.replace(event_shape=(1, 8, 8)), n_scales=2)
    with pytest.raises(CapabilityError, match="found none"):
        build("wrapper", "multiscale", n_scales=1, context=BuildContext(event_shape=(1, 8, 8)))


def test_a_gaussian_at_each_scale_is_not_the_gaussian_that_was_asked_for() -> None:
    parts = {**recipe({}).parts, "wrapper": (Part("gaussian-base", {}), Part("multiscale", {}))}
    with pytest.raises(CapabilityError, match="leave one of them out"):
        build_energy(Recipe(parts=parts), BuildContext(event_shape=(1, 12, 12)))


# --- the resolver


def resolved(text: str, event_shape: tuple[int, ...] | None = (1, 28, 28)) -> Recipe:
    return resolve(from_toml(text), host(), event_shape).recipe


def test_the_resolver_takes_it_and_its_networks_survive_toml() -> None:
    text = '[[wrapper]]\nuse = "multiscale"\nn_scales = 2\nnetworks = [{widths = [4], attention = []}]\n'
    whole = resolved(text)
    assert [part.use for part in whole.parts["wrapper"]] == ["multiscale"]
    again = from_toml(to_toml(whole))
    assert again.parts["wrapper"] == whole.parts["wrapper"]
    energy = build_energy(again, BuildContext(event_shape=(1, 28, 28)))
    assert energy.networks[1].trunks[0].stem.out_channels == 4


def test_too_many_scales_are_refused_before_anything_is_built() -> None:
    with pytest.raises(CapabilityError, match=r"28×28 has 6 scales.*n_scales = 6 or fewer"):
        resolved('[[wrapper]]\nuse = "multiscale"\nn_scales = 7\n')
    with pytest.raises(CapabilityError, match="Choose a set of images"):
        resolved('[energy]\nuse = "mlp"\n[[wrapper]]\nuse = "multiscale"\n', (2,))


@pytest.mark.parametrize("other", ["alters", "aardvark"])
def test_what_looks_at_features_comes_outside_it(other: str) -> None:
    component = host().get("wrapper", "multiscale")
    own = Capabilities(needs=frozenset(), gives=frozenset(component.gives), hides=frozenset(component.hides))
    theirs = Capabilities(needs=frozenset({"energy.features"}), gives=frozenset({"energy.features"}), hides=frozenset())
    assert ordered({other: theirs, "multiscale": own}) == ["multiscale", other]

"""Laws of the residual energy: shapes, heads, conditions, and an initialisation that is its own."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import abilities_of, values_of

TINY = {"widths": (4, 6), "hidden": 8, "features": 5}


def resnet(shape: tuple[int, ...] = (1, 12, 12), *, seed: int = 1, n_classes: int = 0, **config: Any) -> Any:
    context = BuildContext(event_shape=shape, seed=seed, n_classes=n_classes)
    return build("energy", "resnet", context=context, **{**TINY, **config})


def randomised(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.normal_(0, layer.in_features**-0.5, generator=torch.Generator().manual_seed(0))
    return module.eval()


def point(shape: tuple[int, ...], n: int = 3, **aux: torch.Tensor) -> Point:
    return Point(x=torch.rand(n, *shape, generator=torch.Generator().manual_seed(0)), aux=aux)


@settings(max_examples=15)
@given(
    channels=st.sampled_from([1, 3]), height=st.sampled_from([28, 32, 64, 128]), width=st.sampled_from([28, 32, 37]),
    n=st.integers(1, 3), head=st.sampled_from(["linear", "half-squared-norm"]), blocks=st.integers(1, 2),
    activation=st.sampled_from(["silu", "leaky-relu"]), scales=st.integers(1, 3), normed=st.booleans(),
)  # fmt: skip
def test_images_of_many_sizes_get_one_energy_a_row(
    channels: int, height: int, width: int, n: int, head: str, blocks: int, activation: str, scales: int, normed: bool
) -> None:
    shape = (channels, height, width)
    energy = resnet(shape, head=head, blocks=blocks, activation=activation, n_scales=scales, spectral_norm=normed)
    values = values_of(randomised(energy), point(shape, n), "energy", "features")
    assert values["energy"].shape == (n,) and values["features"].shape == (n, 5)
    assert values["energy"].isfinite().all() and (head == "linear" or (values["energy"] >= 0).all())


def test_heads_are_functions_of_the_features() -> None:
    squared, linear = (randomised(resnet(head=head)) for head in ("half-squared-norm", "linear"))
    for energy in (squared, linear):
        values = values_of(energy, point((1, 12, 12)), "energy", "features")
        f, e = values["features"], values["energy"]
        wanted = f.square().sum(dim=1) / 2 if energy is squared else energy.head.linear(energy.activation(f))[:, 0]
        torch.testing.assert_close(e, wanted)
        assert e.dtype == torch.float32 and torch.equal(e, energy(point((1, 12, 12))))
    assert abilities_of(squared) == {"energy", "features"}


def test_the_image_is_normalised_channel_by_channel() -> None:
    plain, moved = (
        randomised(resnet((3, 12, 12), mean=m, std=s))
        for m, s in (((0.0,), (1.0,)), ((0.1, 0.2, 0.3), (0.5, 1.0, 2.0)))
    )
    at = point((3, 12, 12))
    normed = (at.x - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor([0.5, 1.0, 2.0]).view(3, 1, 1)
    torch.testing.assert_close(moved(at), plain(Point(x=normed)))


def test_an_unset_normalisation_is_that_of_what_the_chains_hold() -> None:
    level = SimpleNamespace(name="level", noises_x=True, n_values=3, leaves_data=True)
    for coordinates, low, high in (((), 0.0, 1.0), ((level,), -1.0, 1.0)):
        context = BuildContext(event_shape=(1, 12, 12), coordinates=coordinates)
        energy = build("energy", "resnet", context=context, **TINY)
        assert (low - float(energy.mean)) / float(energy.std) == -1, "data of a level are scaled to [-1, 1]"
        assert (high - float(energy.mean)) / float(energy.std) == 1
    kept = build("energy", "resnet", context=BuildContext(event_shape=(1, 12, 12), coordinates=(level,)), mean=(0.5,))
    assert float(kept.mean) == 0.5 and float(kept.std) == 1


def test_spectral_norm_bounds_every_convolution() -> None:
    energy = resnet(spectral_norm=True).train()
    with torch.no_grad():
        for layer in [m for m in energy.modules() if isinstance(m, nn.Conv2d)]:
            layer.parametrizations.weight.original.mul_(30)
        for _ in range(60):
            energy(point((1, 12, 12)))
        energy.eval()
        sizes = [torch.linalg.matrix_norm(m.weight.flatten(1), 2) for m in energy.modules() if isinstance(m, nn.Conv2d)]
    torch.testing.assert_close(torch.stack(sizes), torch.ones(len(sizes)), atol=0.02, rtol=0)


def test_the_label_changes_the_energy() -> None:
    energy = randomised(resnet(labels=True, n_classes=4))
    same = point((1, 12, 12), 1).x.expand(4, 1, 12, 12)
    values = energy(Point(x=same, aux={"label": torch.arange(4)}))
    assert len(set(values.tolist())) == 4
    torch.testing.assert_close(values[[2]], energy(Point(x=same[:1], aux={"label": torch.tensor([2])})))
    with pytest.raises(CapabilityError, match="coordinate label"):
        energy(Point(x=same))


def test_a_wrapper_conditions_every_block() -> None:
    energy = randomised(resnet(conditioning=3))
    at = point((1, 12, 12))
    conditions = [torch.full((3, 3), value, requires_grad=True) for value in (0.0, 1.0)]
    energies = [energy(at.with_aux(condition=c)) for c in conditions]
    assert not torch.equal(*energies)
    assert (torch.autograd.grad(energies[1].sum(), conditions[1])[0] != 0).all()
    both = randomised(resnet(conditioning=3, labels=True, n_classes=2))
    labelled = at.with_aux(label=torch.tensor([0, 1, 0]))
    assert not torch.equal(both(labelled), both(labelled.with_aux(condition=conditions[1])))


def test_a_one_hot_label_stands_beside_the_condition() -> None:
    energy = randomised(resnet(labels=True, label_as="one-hot", conditioning=3, n_classes=4))
    assert energy.condition.length == 7 and not list(energy.condition.parameters())
    c, label = torch.randn(3, 3), torch.tensor([0, 3, 1])
    seen = energy.condition(point((1, 12, 12), condition=c, label=label))
    assert torch.equal(seen, torch.cat([torch.eye(4)[label], c], dim=1))
    for aux in ({"label": label}, {"condition": c}):
        with pytest.raises(CapabilityError, match=r"conditioning|coordinate label"):
            energy(point((1, 12, 12), **aux))
    with pytest.raises(CapabilityError, match="label_as"):
        resnet(label_as="one-hot")


@pytest.mark.parametrize(("hidden", "features", "length"), [(0, 0, 6), (0, 5, 5), (8, 0, 8), (8, 5, 5)])
@pytest.mark.parametrize("head", ["linear", "half-squared-norm"])
def test_layers_after_pooling_can_be_left_out(hidden: int, features: int, length: int, head: str) -> None:
    energy = randomised(resnet(hidden=hidden, features=features, head=head))
    values = values_of(energy, point((1, 12, 12)), "energy", "features")
    assert values["features"].shape == (3, length) and values["energy"].isfinite().all()
    if head == "linear" and not hidden and not features:
        torch.testing.assert_close(values["energy"], energy.head.linear(values["features"])[:, 0])


def test_small_images_go_through_as_many_stages_as_they_can_be_halved() -> None:
    assert resnet((1, 7, 7), widths=(4, 4, 4, 4))(point((1, 7, 7))).shape == (3,)
    with pytest.raises(CapabilityError, match="halved"):
        resnet((1, 7, 7), widths=(4, 4, 4, 4, 4))


def test_a_condition_is_never_ignored() -> None:
    at = point((1, 12, 12))
    with pytest.raises(CapabilityError, match="conditioning"):
        resnet(conditioning=3)(at)
    for energy in (resnet(), resnet(conditioning=4)):
        with pytest.raises(CapabilityError, match="conditioning"):
            energy(at.with_aux(condition=torch.zeros(3, 3)))


@pytest.mark.parametrize("head", ["linear", "half-squared-norm"])
def test_the_initialisation_depends_on_the_seed_alone(head: str) -> None:
    before = torch.get_rng_state()
    first, torch_seeded = resnet(head=head, seed=5), torch.manual_seed(99)
    again, other = resnet(head=head, seed=5), resnet(head=head, seed=6)
    assert torch_seeded is torch.default_generator
    pairs = zip(first.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(first.project.weight, other.project.weight)
    torch.set_rng_state(before)
    resnet(seed=7)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("shape", "config", "found"),
    [
        ((12,), {}, "mlp"), ((1, 3, 40), {"widths": (4, 4, 4, 4)}, "halved"), ((1, 12, 12), {"n_scales": 5}, "halved"),
        ((1, 12, 12), {"mean": (0.5, 0.5)}, "mean"), ((3, 12, 12), {"std": (1.0, 1.0)}, "std"),
        ((1, 12, 12), {"labels": True}, "labels"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_says_why(shape: tuple[int, ...], config: dict[str, Any], found: str) -> None:
    with pytest.raises(CapabilityError, match=found):
        resnet(shape, **config)


@pytest.mark.parametrize("config", [{"std": (0.0,)}, {"widths": ()}, {"blocks": 0}, {"head": "cubic"}, {"depth": 3}])
def test_settings_are_validated(config: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        resnet(**config)


def test_other_abilities_are_refused() -> None:
    with pytest.raises(CapabilityError, match="latent"):
        values_of(resnet(), point((1, 12, 12)), "latent")

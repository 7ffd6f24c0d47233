"""Laws of the fully connected energy."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import values_of
from ebmkit.testing.energy_laws import check_energy


def mlp(shape: tuple[int, ...] = (3,), *, n_classes: int = 0, seed: int = 1, **config: Any) -> Any:
    context = BuildContext(event_shape=shape, n_classes=n_classes, seed=seed)
    return build("energy", "mlp", context=context, **{"widths": (8, 8), **config})


@settings(max_examples=25)
@given(
    event=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple), n=st.integers(1, 4),
    features=st.sampled_from([0, 5]), head=st.sampled_from(["linear", "half-squared-norm"]),
    widths=st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple),
)  # fmt: skip
def test_any_event_shape_gets_one_energy_a_row(
    event: tuple[int, ...], n: int, features: int, head: str, widths: tuple[int, ...]
) -> None:
    energy = mlp(event, features=features, head=head, widths=widths)
    x = torch.randn(n, *event, generator=torch.Generator().manual_seed(0))
    values = values_of(energy, Point(x=x), "features", "energy")
    assert values["energy"].shape == (n,) and values["features"].shape == (n, features or widths[-1])
    if head == "half-squared-norm":
        torch.testing.assert_close(values["energy"], values["features"].square().sum(dim=1) / 2)
    check_energy(energy, Point(x=x))


def test_labels_and_conditions_are_seen() -> None:
    x = torch.ones(3, 3)
    labelled, conditioned = mlp(labels=True, n_classes=3), mlp(conditioning=2)
    assert len(set(labelled(Point(x=x, aux={"label": torch.arange(3)})).tolist())) == 3
    assert len(set(conditioned(Point(x=x, aux={"condition": torch.eye(3)[:, :2]})).tolist())) == 3
    with pytest.raises(CapabilityError, match="label"):
        labelled(Point(x=x))
    with pytest.raises(CapabilityError, match="conditioning"):
        conditioned(Point(x=x))
    with pytest.raises(CapabilityError, match="conditioning"):
        mlp()(Point(x=x, aux={"condition": torch.zeros(3, 2)}))
    with pytest.raises(CapabilityError, match="labels"):
        mlp(labels=True)


@settings(max_examples=20)
@given(
    features=st.sampled_from([0, 3]), head=st.sampled_from(["linear", "half-squared-norm"]),
    widths=st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple), seed=st.integers(0, 5),
)  # fmt: skip
def test_a_condition_multiplies_and_shifts_each_layer(
    features: int, head: str, widths: tuple[int, ...], seed: int
) -> None:
    energy = mlp(conditioning=2, activation="softplus", features=features, head=head, widths=widths)
    rng = torch.Generator().manual_seed(seed)
    h, c = torch.randn(4, 3, generator=rng), torch.randn(4, 2, generator=rng)
    at = Point(x=h, aux={"condition": c})
    for i, layer in enumerate(energy.layers):
        plain = i == len(energy.layers) - 1 and (features > 0 or head == "half-squared-norm")
        h = layer(h) if plain else torch.log1p(torch.exp(layer(h)))
        gain, bias = energy.modulations[i](c).chunk(2, dim=1)
        h = h * (1 + gain) + bias
    torch.testing.assert_close(values_of(energy, at, "features")["features"], h)
    assert energy.layers[0].in_features == 3


def test_the_initialisation_depends_on_the_seed_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = mlp(seed=3), mlp(seed=3), mlp(seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)


def test_double_precision_stays_double() -> None:
    assert mlp().double()(Point(x=torch.ones(2, 3, dtype=torch.float64))).dtype == torch.float64


@pytest.mark.parametrize("config", [{"widths": ()}, {"widths": (0,)}, {"activation": "tanh"}, {"features": -1}])
def test_settings_are_validated(config: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        mlp(**config)

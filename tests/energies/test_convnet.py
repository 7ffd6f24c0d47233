"""Laws of the energy of strided convolutions."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import values_of
from ebmkit.testing.energy_laws import check_energy


def convnet(shape: tuple[int, ...] = (1, 28, 28), *, seed: int = 1, **config: Any) -> Any:
    small = {"widths": (4, 4, 4), "hidden": 8, "features": 5}
    return build("energy", "convnet", context=BuildContext(event_shape=shape, seed=seed), **{**small, **config})


@settings(max_examples=15, deadline=None)
@given(
    channels=st.integers(1, 3), side=st.integers(4, 13), n=st.integers(1, 3),
    head=st.sampled_from(["linear", "half-squared-norm"]), widths=st.sampled_from([(3,), (3, 2), (2, 3, 4)]),
)  # fmt: skip
def test_images_of_any_size_get_one_energy_a_row(
    channels: int, side: int, n: int, head: str, widths: tuple[int, ...]
) -> None:
    energy = convnet((channels, side, side + 1), head=head, widths=widths)
    x = torch.randn(n, channels, side, side + 1, generator=torch.Generator().manual_seed(0))
    values = values_of(energy, Point(x=x), "features", "energy")
    assert values["energy"].shape == (n,) and values["features"].shape == (n, 5)
    if head == "half-squared-norm":
        torch.testing.assert_close(values["energy"], values["features"].square().sum(dim=1) / 2)
    check_energy(energy, Point(x=x))


def test_a_feature_knows_where_things_are() -> None:
    energy, x = convnet(), torch.zeros(2, 1, 28, 28)
    x[0, 0, 4:8, 4:8] = x[1, 0, 16:20, 16:20] = 1  # moved by a whole number of strides
    first, second = values_of(energy, Point(x=x), "features")["features"]
    assert not torch.allclose(first, second, atol=1e-3)


def test_weights_are_those_of_the_seed() -> None:
    one, same, other = (torch.cat([p.flatten() for p in convnet(seed=s).parameters()]) for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_the_default_has_about_a_million_parameters() -> None:
    energy = convnet(widths=(16, 32, 32), hidden=512, features=256)
    assert sum(p.numel() for p in energy.parameters()) == 959_713


def test_what_is_no_image_or_too_small_is_refused() -> None:
    with pytest.raises(CapabilityError, match="convnet needs images"):
        convnet((2,))
    with pytest.raises(CapabilityError, match="cannot be halved 2 times"):
        convnet((1, 3, 8))

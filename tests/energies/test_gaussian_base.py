"""Laws of the Gaussian beside an energy."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ebmkit
from ebmkit import BuildContext, CapabilityError, Point, RecipeError
from ebmkit.assembly.build import build
from ebmkit.plugins.host import host
from ebmkit.recipes.resolver.ordering import Capabilities, ordered


class Tilt(nn.Module):
    """E(x) = ⟨w, x⟩, with energies of two classes."""

    abilities = frozenset({"levels.label"})

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.3, -0.8]))

    def forward(self, point: Point) -> Tensor:
        return point.x @ self.w

    def levels(self, point: Point, name: str) -> Tensor:
        return torch.stack([self(point), self(point) + 1], dim=1)


def wrapped(temperature: float = 1.0, **settings: float) -> ebmkit.Energy:
    context = BuildContext(event_shape=(2,), inner=Tilt(), temperature=temperature)
    energy: ebmkit.Energy = build("wrapper", "gaussian-base", context=context, **settings)
    return energy


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_the_law_is_that_of_the_energy_times_a_gaussian(temperature: float) -> None:
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    energy = wrapped(temperature, mean=0.5, sd=2.0)
    law = torch.distributions.Normal(0.5, 2.0)
    expected = -(x @ Tilt().w) / temperature + law.log_prob(x).sum(dim=1)
    found = -energy(Point(x=x)) / temperature
    assert torch.allclose((found - expected).diff(), torch.zeros(49), atol=1e-5)


def test_the_energies_of_all_classes_have_it_too() -> None:
    point = Point(x=torch.randn(7, 2, generator=torch.Generator().manual_seed(0)))
    values = ebmkit.values_of(wrapped(), point, "energy", "levels.label")
    assert torch.allclose(values["levels.label"][:, 0], values["energy"])
    assert torch.allclose(values["levels.label"][:, 1], values["energy"] + 1)


def test_where_levels_noise_x_it_is_refused(tmp_path: object) -> None:
    with pytest.raises((CapabilityError, RecipeError), match='base = "gaussian"'):
        ebmkit.run(
            {"data": {"use": "toy"}, "energy": {"use": "mlp"}, "coordinate": [{"use": "level"}],
             "wrapper": [{"use": "level-head"}, {"use": "gaussian-base"}]},
            out=f"{tmp_path}/run",
        )  # fmt: skip


def test_it_needs_an_energy() -> None:
    with pytest.raises(CapabilityError, match="found none"):
        build("wrapper", "gaussian-base", context=BuildContext(event_shape=(2,)))


def test_it_comes_outside_of_heads_that_take_features_and_may_drop_the_energy() -> None:
    own = host().get("wrapper", "gaussian-base")
    base = Capabilities(needs=frozenset(), gives=frozenset(own.gives), hides=frozenset(own.hides))
    head = Capabilities(needs=frozenset({"energy.features"}), gives=frozenset(), hides=frozenset())
    assert ordered({"gaussian-base": base, "head": head}) == ["head", "gaussian-base"]


def test_classes_and_latents_are_told_apart_as_inside() -> None:
    class Told(Tilt):
        abilities = frozenset({"logits", "latent"})
        guidance_strength = 0.3

        def logits(self, point: Point) -> Tensor:
            return point.x

    inner = Told()
    context = BuildContext(event_shape=(2,), inner=inner)
    energy: ebmkit.Energy = build("wrapper", "gaussian-base", context=context)
    point = Point(x=torch.ones(3, 2))
    assert torch.equal(ebmkit.values_of(energy, point, "logits")["logits"], inner.logits(point))
    assert ebmkit.guidance_strength(energy) == 0.3

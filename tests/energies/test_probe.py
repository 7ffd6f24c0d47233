"""How long a vector an energy gives, asked of a copy."""

from __future__ import annotations

import copy

import pytest
import torch

from ebmkit.assembly.build import build
from ebmkit.energies.probe import length_of
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext

IMAGES = BuildContext(event_shape=(1, 8, 8), value_range=(0.0, 1.0))


def test_it_is_found_without_changing_the_energy() -> None:
    energy = build("energy", "resnet", context=IMAGES, widths=(4,), hidden=8, features=5)  # spectral norm iterates
    before = copy.deepcopy(energy.state_dict())
    assert length_of(energy, "features", IMAGES) == 5 and energy.training
    assert all(torch.equal(before[name], value) for name, value in energy.state_dict().items())


def test_a_conditioning_vector_and_hidden_coordinates() -> None:
    context = BuildContext(event_shape=(2,), n_classes=3)
    context = context.replace(coordinates=(build("coordinate", "label", context=context),))
    conditioned = build("energy", "mlp", context=context, widths=(7,), conditioning=4)
    assert length_of(conditioned, "features", context, conditioning=4) == 7
    with pytest.raises(CapabilityError, match="conditioning"):
        length_of(conditioned, "features", context, conditioning=5)
    labelled = build("energy", "mlp", context=context, widths=(6,), labels=True)
    assert length_of(labelled, "features", context) == 6
    with pytest.raises(CapabilityError, match="label"):
        length_of(labelled, "features", context, hidden=("label",))


def test_an_energy_without_the_vector_is_refused() -> None:
    with pytest.raises(CapabilityError, match="latent"):
        length_of(lambda point: point.x.sum(dim=1), "latent", BuildContext())

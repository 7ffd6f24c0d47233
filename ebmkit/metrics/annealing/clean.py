"""The energy of clean data as a plain function of x, and the units of its density."""

from __future__ import annotations

from collections.abc import Callable
from math import log, log2

import torch
from torch import Tensor

from ebmkit.assembly.context import data_point
from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.sampling.model import Model
from ebmkit.views.view import view

LEVELS = 256
"""Of a pixel: bits a dimension are those of data in units of one of them, dequantised (Theis et al., 2016)."""


def reduced_energy(model: Model, temperature: float) -> Callable[[Tensor], Tensor]:
    """Returns x [B, *event], in the value range of the data, ↦ E/T [B] in fp32, coordinates as data have them.

    Raises:
        CapabilityError: the energy needs a coordinate that no clean datum has by itself.
    """
    seen = view(model.energy, "fp32")

    def energy(x: Tensor) -> Tensor:
        return seen.constant(data_point(model.coordinates, x)) / temperature

    check_over_x(model, energy)
    return energy


def check_over_x(model: Model, energy: Callable[[Tensor], Tensor]) -> None:
    """Raises CapabilityError where the energy is none of x alone."""
    low = (model.data.value_range or (0.0, 0.0))[0]
    try:
        energy(torch.full((2, *model.data.event_shape), low, device=model.device))
    except (KeyError, CapabilityError) as error:  # a network of ours refuses a point without its label by itself
        own = " or ".join(f"'{coordinate.name}'" for coordinate in model.coordinates if coordinate.n_values)
        needed = own if own and isinstance(error, CapabilityError) else error
        raise CapabilityError(
            f"The energy of {model.name} needs {needed}, which a datum does not have by itself: it is no energy of x "
            "alone, and has no log Z. Judge a model without it."
        ) from error


def bounds_of(model: Model) -> tuple[float, float] | None:
    """Returns the range that x of a model keeps, None where it has none or a coordinate noises x."""
    return None if model.context().x_is_noised else model.data.value_range


def log_slope(model: Model) -> float:
    """Returns log |∂ x of chains / ∂ x of data|, summed over the entries of an event: they differ by a scale each."""
    zero = torch.zeros((1, *model.data.event_shape), device=model.device)
    held = [data_point(model.coordinates, x).x.double() for x in (zero, zero + 1)]
    return float((held[1] - held[0]).abs().log().sum())


def clean(model: Model, x: Tensor) -> Point:
    """Returns data x [B, *event] as the chains of a model hold them."""
    return data_point(model.coordinates, x.to(model.device))


def bits_per_dim(nats: float, model: Model) -> float:
    """Returns bits a dimension of −log p, nats a datum; of images in a range, in units of their 256 levels.

    >>> from types import SimpleNamespace as S
    >>> bits_per_dim(0.0, S(data=S(event_shape=(1, 2, 2), value_range=(0.0, 1.0))))
    8.0
    """
    return nats * bits_a_nat(model) + level_bits(model)


def bits_a_nat(model: Model) -> float:
    """Returns by how many bits a dimension a nat a datum changes."""
    d = 1
    for size in model.data.event_shape:
        d *= size
    return 1 / (d * log(2))


def level_bits(model: Model) -> float:
    """Returns −log₂ of the width of a level of images in a range, in the units of the data; 0 of other data."""
    if not has_levels(model):
        return 0.0
    low, high = model.data.value_range or (0.0, 1.0)
    return log2(LEVELS / (high - low))


def has_levels(model: Model) -> bool:
    """Returns whether the data are images in a range, whose bits a dimension have a convention."""
    return len(model.data.event_shape) == 3 and model.data.value_range is not None

"""Step sizes: where they start, and which one each chain and entry has."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import Tuning


def initial_tuning(tuning: Tuning | None, step_size: float, n_values: int | None, point: Point) -> Tuning:
    """Returns the tuning that a sampler starts with: the given one, or the config's step size in every place.

    Raises:
        CapabilityError: x is not real-valued, or the given tuning has another number of step sizes.
    """
    if not point.x.is_floating_point():
        raise CapabilityError(f"This sampler moves real-valued x, but x is {point.x.dtype}: take a discrete sampler.")
    shape = () if n_values is None else (n_values,)
    if not tuning or "step_size" not in tuning:
        first = torch.full(shape, step_size, dtype=point.x.dtype, device=point.x.device)
        return {"step_size": first, **{name: value.to(first.device) for name, value in (tuning or {}).items()}}
    found = tuple(tuning["step_size"].shape)
    if found != shape:
        raise CapabilityError(
            f"The tuning holds step sizes of shape {found}, but this sampler has {shape}: "
            "it was tuned with another step_size_per."
        )
    return tuning


def step_sizes(tuning: Tuning, point: Point, per: str = "", scale: Tensor | None = None) -> Tensor:
    """Returns the step sizes, data units, broadcast against x: by the value of a coordinate and by entry, if asked.

    Raises:
        CapabilityError: the point has no such coordinate.
    """
    sizes: Tensor = tuning["step_size"].to(device=point.x.device, dtype=point.x.dtype)
    if per:
        if per not in point.aux:
            raise CapabilityError(
                f'step_size_per = "{per}", but the chains have: {", ".join(point.aux) or "no coordinate"}.'
            )
        sizes = sizes[point.aux[per]].view(-1, *[1] * (point.x.ndim - 1))
    return sizes if scale is None else sizes * scale.to(sizes)


def count_values(context: BuildContext, name: str) -> int:
    """Returns how many values a discrete coordinate of the run has.

    Raises:
        CapabilityError: the run has no such coordinate, or it is not discrete.
    """
    coordinate = context.coordinate(name)
    n_values = coordinate.n_values
    if n_values is None:
        raise CapabilityError(
            f"Coordinate '{name}' is not discrete: it does not say how many values it has (n_values)."
        )
    return n_values

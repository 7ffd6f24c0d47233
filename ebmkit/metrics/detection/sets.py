"""Out-of-distribution sets that need no files: noise, constants, and data whose parts are in disorder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import torch
from einops import rearrange
from torch import Generator, Tensor

from ebmkit.data.arrays import dequantise
from ebmkit.data.spec import DataSpec
from ebmkit.errors import DataError
from ebmkit.ops.discrete import decoded, draw

PATCHES = 4
"""Patches along either side of an image."""

Made = Callable[[Tensor, DataSpec, Generator], Tensor]
"""From held-out data x [N, *event] to as many data of another law."""


def uniform_noise(held: Tensor, data: DataSpec, rng: Generator) -> Tensor:
    """Returns x uniform in the value range; without one, each entry in the range that it has in the data.

    Discrete x has every value alike.
    """
    if data.x_values != "real":
        return draw(tuple(held.shape), data.x_values, data.value_range, rng, device="cpu", dtype=held.dtype)
    low, high = _bounds(held, data)
    return low + (high - low) * torch.rand(held.shape, generator=rng)


def constants(held: Tensor, data: DataSpec, rng: Generator) -> Tensor:
    """Returns images of one colour each, every channel uniform in the value range.

    Those in [0, 1] are 8-bit values dequantised as data are: without their noise anything could tell them. Discrete x
    has one value at all sites.
    """
    n, channels = held.shape[0], held.shape[1]
    if data.x_values != "real":
        n_values = held.shape[-1] if data.x_values == "one-hot" else 2
        one = torch.randint(n_values, (n, *[1] * (held.ndim - 1 - (data.x_values == "one-hot"))), generator=rng)
        sites = held.shape[:-1] if data.x_values == "one-hot" else held.shape
        return decoded(one.expand(sites), data.x_values, data.value_range, n_values, held.dtype)
    colour = (n, channels, *[1] * (held.ndim - 2))
    if data.value_range == (0.0, 1.0):
        levels = torch.randint(256, colour, generator=rng, dtype=torch.uint8).expand(held.shape)
        return dequantise(levels, torch.rand(held.shape, generator=rng))
    low, high = _bounds(held, data)
    return (low.amin() + (high.amax() - low.amin()) * torch.rand(colour, generator=rng)).expand(held.shape).clone()


def patch_shuffled(held: Tensor, data: DataSpec, rng: Generator) -> Tensor:
    """Returns images whose 4×4 patches are in a random order, each image in its own.

    Where a side does not divide by 4, the last rows or columns stay where they are.
    """
    n, _, height, width = held.shape
    h, w = height // PATCHES, width // PATCHES
    inner = held[:, :, : PATCHES * h, : PATCHES * w]
    patches = rearrange(inner, "n c (a h) (b w) -> n (a b) c h w", h=h, w=w)
    order = torch.rand(n, PATCHES**2, generator=rng).argsort(dim=1)
    shuffled = patches[torch.arange(n)[:, None], order]
    x = held.clone()
    x[:, :, : PATCHES * h, : PATCHES * w] = rearrange(shuffled, "n (a b) c h w -> n c (a h) (b w)", a=PATCHES)
    return x


def permuted_coordinates(held: Tensor, data: DataSpec, rng: Generator) -> Tensor:
    """Returns data each entry of which comes from a datum of its own: right one by one, and independent.

    Values of one-hot x stay whole.
    """
    n = len(held)
    sites = held.flatten(1, -2) if data.x_values == "one-hot" else held.flatten(1)[..., None]
    order = torch.rand(n, sites.shape[1], generator=rng).argsort(dim=0)
    return sites.gather(0, order[..., None].expand_as(sites)).view(held.shape)


BUILT_IN: Mapping[str, tuple[Made, str]] = {
    "uniform-noise": (uniform_noise, "uniform in the value range, or in that of each entry of the data"),
    "constants": (constants, "a random grey or colour each"),
    "patch-shuffled": (patch_shuffled, "held-out images with their 4×4 patches in a random order"),
    "permuted-coordinates": (permuted_coordinates, "held-out data with each entry from a datum of its own"),
}
"""By name: how a set is made, and what it is."""


def usual_sets(data: DataSpec) -> tuple[str, ...]:
    """Returns the built-in sets that are of use for events of a shape."""
    if is_picture(data):
        return ("uniform-noise", "constants", "patch-shuffled")
    if prod(data.event_shape) == 1:
        return ("uniform-noise",)
    return ("uniform-noise", "permuted-coordinates")


def is_picture(data: DataSpec) -> bool:
    """Whether events are images of at least one pixel a patch."""
    shape = data.event_shape
    return len(shape) == 3 and data.x_values != "one-hot" and min(shape[1:]) >= PATCHES


def built_in(name: str, held: Tensor, data: DataSpec, rng: Generator) -> Tensor:
    """Returns a built-in set [N, *event], made of as many held-out data where it is made of data.

    Raises:
        DataError: patches of what is no image of 4×4 pixels or more, or one entry alone permuted.
    """
    if name == "patch-shuffled" and not is_picture(data):
        raise DataError(
            f"patch-shuffled needs images of {PATCHES}×{PATCHES} pixels or more, found x of shape "
            f"{list(data.event_shape)}. Take permuted-coordinates."
        )
    if name == "permuted-coordinates" and held[0].numel() == 1:
        raise DataError("permuted-coordinates of a single entry are the data themselves. Take uniform-noise.")
    return BUILT_IN[name][0](held, data, rng)


def _bounds(held: Tensor, data: DataSpec) -> tuple[Tensor, Tensor]:
    if data.value_range is not None:
        low, high = data.value_range
        return torch.tensor(low), torch.tensor(high)
    return held.amin(dim=0), held.amax(dim=0)

"""Some entries of x given, the others sampled: an energy over the free entries alone, so that the law is exact.

A chain is the vector of the free entries. The given ones travel with it as a coordinate and never move, so that any
sampler of real-valued x leaves p(free | given) invariant as it would leave p. (To move all of x and to paste what is
given back after each move does not: what was accepted or rejected is then another point.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from ebmkit.assembly.context import data_point
from ebmkit.data.picture_files import UNREADABLE, opened_picture
from ebmkit.errors import CapabilityError, DataError, RecipeError
from ebmkit.plugins.scale import Scale
from ebmkit.point import Batch, Point
from ebmkit.protocols.energy import Energy, abilities_of, values_of
from ebmkit.protocols.guided import guidance_strength
from ebmkit.sampling.model import Model
from ebmkit.sampling.variants import without_augmentation

PIXELS = "pixels"
"""The name by which entries of x are given, and under which a point holds them."""

HALF = 128
"""Grey of a mask from which on a pixel is given: white is given, black is free."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Inpainting:
    """A model of the free entries of x.

    Attributes:
        model: its x is [B, n_free], in the order of the flattened event.
        rows: coordinate → one row for each chain: x with what is given in place, and coordinates that are held at data.
        notes: what was left out or held for it.
    """

    model: Model
    rows: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()


class FreeEntries(nn.Module):
    """E(merged(given, u)) of the free entries u [B, n_free], for points that hold x [B, *event] as "pixels"."""

    free: Tensor

    def __init__(self, inner: Energy, free: Tensor) -> None:
        super().__init__()
        self.inner = inner
        self.abilities = abilities_of(inner)
        self.register_buffer("free", free, persistent=False)

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns what the energy says of the whole points."""
        whole = merged(point.aux[PIXELS], point.x, self.free)
        return values_of(self.inner, point.without(PIXELS).replace(x=whole), *abilities)

    @property
    def guidance_strength(self) -> float | None:
        """β of the latent of the whole energy, nats."""
        return guidance_strength(self.inner)

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.evaluate(point, "energy")["energy"]


class GivenPixels:
    """x with what is given in place, as a coordinate that nothing moves; `to_data` puts the free entries into it."""

    name = PIXELS
    noises_x = False
    leaves_data = False
    n_values = None

    def __init__(self, free: Tensor) -> None:
        self.free = free

    def lift(self, batch: Batch, point: Point, rng: Generator) -> Point:
        """Raises CapabilityError: it is for sampling alone."""
        raise CapabilityError("Given pixels are for sampling: a model is trained without them.")

    def prior(self, n: int, point: Point, rng: Generator, purpose: str = "buffer") -> Point:
        """Returns the point as it is: what is given is not drawn."""
        return point

    def clean(self, point: Point) -> Point:
        """Returns the point as it is."""
        return point

    def is_data(self, point: Point) -> Tensor:
        """Returns True for every row."""
        return torch.ones(len(point), dtype=torch.bool, device=point.x.device)

    def signal(self, point: Point) -> Tensor:
        """Returns 1 for every row."""
        return torch.ones(len(point), device=point.x.device)

    def to_data(self, point: Point) -> Tensor:
        """Returns x [B, *event] with the free entries of the point."""
        return merged(point.aux[PIXELS], point.x, self.free)


def merged(given: Tensor, free_values: Tensor, free: Tensor) -> Tensor:
    """Returns x [B, *event] with some entries replaced, differentiable in them.

    Args:
        given: x [B, *event].
        free_values: u [B, n_free].
        free: places of u in the flattened event [n_free].
    """
    return given.flatten(1).index_copy(1, free, free_values.to(given)).view_as(given)


def inpainting(model: Model, mask: Any, x: Tensor, held: Mapping[str, Tensor]) -> Inpainting:
    """Returns the model of the entries of x that are not given.

    Args:
        model: of whole x.
        mask: bool [*event] or [H, W], True where an entry is given; or the path of a picture, white where it is.
        x: [n, *event] in the value range of the data, whose entries are given.
        held: what the chains hold beside, one row each.

    Raises:
        DataError: the mask cannot be read, or has another size.
        RecipeError: it leaves nothing free or gives nothing, or x is to be given at a value away from data.
        CapabilityError: x is discrete, or a sampler of the run has a step for each entry of x.
    """
    if model.data.x_values != "real":
        raise CapabilityError(f"--given pixels needs real-valued x; the data of this run are {model.data.x_values}.")
    known = known_places(mask, tuple(model.data.event_shape))
    free = (~known).flatten().nonzero()[:, 0].to(model.device)
    clean = data_point(model.coordinates, x.to(device=model.device, dtype=torch.float32))
    rows, notes = _at_data(model, clean, held)
    plain, left_out = _without_augmentation(model)
    _check_steps(plain)
    whole = replace(
        plain,
        energy=FreeEntries(model.energy, free),
        coordinates=(GivenPixels(free), *model.coordinates),
        data=replace(model.data, event_shape=(len(free),), scale=_scale_of(model.data.scale, free)),
    )
    return Inpainting(model=whole, rows={**rows, PIXELS: clean.x}, notes=(*left_out, *notes))


def known_places(mask: Any, event_shape: tuple[int, ...]) -> Tensor:
    """Returns a mask as bool [*event], True where an entry is given; raises as `inpainting`."""
    asked = f"--given pixels={mask}" if isinstance(mask, (str, Path)) else "given pixels"
    given = read_mask(Path(mask)) if isinstance(mask, (str, Path)) else torch.as_tensor(mask).cpu()
    if given.dtype != torch.bool:
        raise DataError(f"{asked}: a mask is bool, True where an entry is given; found {given.dtype}.")
    if tuple(given.shape) == event_shape[1:] and len(event_shape) == 3:
        given = given.expand(event_shape)
    if tuple(given.shape) != event_shape:
        found, wanted = ("×".join(map(str, shape)) for shape in (given.shape, event_shape[-given.ndim :]))
        raise DataError(f"{asked}: the mask is {found}, but the run knows x of {wanted}.")
    n_given = int(given.sum())
    if not n_given:
        raise RecipeError(f"{asked}: the mask gives nothing: no pixel of it is white. Leave it out to sample freely.")
    if n_given == given.numel():
        raise RecipeError(f"{asked}: the mask gives everything, so nothing is left to sample. Black pixels are free.")
    return given


def read_mask(path: Path) -> Tensor:
    """Returns a picture as bool [H, W], True where it is white or lighter than middle grey: what is given."""
    try:
        with opened_picture(path) as picture:
            grey = np.asarray(picture.convert("L"))
    except UNREADABLE as error:
        raise DataError(f"--given pixels={path}: the mask cannot be read: {error}.") from error
    return torch.from_numpy(grey >= HALF)


def _at_data(model: Model, clean: Point, held: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Returns what chains hold, with coordinates that lead away from data held at data, and what is said of those."""
    rows, notes = dict(held), []
    for coordinate in model.coordinates:
        name = coordinate.name
        if not coordinate.leaves_data:
            continue
        if name not in rows:
            rows[name] = clean.aux[name]
            notes.append(f"The {name} is held at that of data, as given pixels are of clean images.")
        elif not bool(coordinate.is_data(clean.with_aux(**{name: rows[name].to(clean.x.device)})).all()):
            raise RecipeError(f"Pixels are given of clean images: the {name} must be that of data. Leave it out.")
    return rows, tuple(notes)


def _without_augmentation(model: Model) -> tuple[Model, tuple[str, ...]]:
    plain = without_augmentation(model)
    if plain.sampler is model.sampler:
        return plain, ()
    return plain, ("Augmentation is left out: it would move what is given.",)


def _check_steps(model: Model) -> None:
    scaled = [part.use for part in model.recipe.parts.get("sampler", ()) if part.settings.get("scale")]
    if scaled and not model.recipe.table("sample").sampler:
        raise CapabilityError(
            f"--given pixels: {scaled[0]} has a step of its own for each entry of x, and here only some move. Take "
            "another sampler: --sampler mala."
        )


def _scale_of(scale: Scale | None, free: Tensor) -> Scale | None:
    if scale is None:
        return None
    places = free.tolist()
    return Scale(mean=tuple(scale.mean[i] for i in places), sd=tuple(scale.sd[i] for i in places))

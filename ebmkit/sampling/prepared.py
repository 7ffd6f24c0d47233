"""Everything that is settled before the first chain of a model moves: what is given, by which sampler, from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ebmkit.errors import RecipeError
from ebmkit.sampling.denoise import check_noise
from ebmkit.sampling.held import held_by
from ebmkit.sampling.model import Model
from ebmkit.sampling.named import ready, with_named_sampler
from ebmkit.sampling.pixels import PIXELS, inpainting, known_places
from ebmkit.sampling.starts import check_starts, never_saw_noise


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prepared:
    """What chains start with.

    Attributes:
        model: with the sampler that moves them.
        rows: coordinate → what each chain holds, one row each.
        start: x [n, *event] where they start; None for the prior.
        names: the class that each was given; empty where none was.
        mask: bool [*event], True where x is given; None where it is free.
        said: what was left out or held for it.
    """

    model: Model
    rows: Mapping[str, Tensor]
    start: Tensor | None = None
    names: tuple[str, ...] = ()
    mask: Tensor | None = None
    said: tuple[str, ...] = ()


def prepared(
    model: Model,
    n: int,
    *,
    given: Mapping[str, Any],
    strength: float | None,
    start: Tensor | None,
    seed: int,
    denoise: bool | float,
    anneals: bool = False,
) -> Prepared:
    """Returns what n chains start with; see `generate` for the arguments and for what is refused."""
    if anneals and (start is not None or PIXELS in given):
        raise RecipeError(
            "Annealed chains start from noise, with all of x free: leave out where they are to start and the pixels "
            'that are given, or sample with method = "visits".'
        )
    if n < 1:
        raise RecipeError(f"Sampling needs at least one chain, found n = {n}.")
    if strength is not None and "latent" not in given:
        raise RecipeError("--given-strength weighs a given latent: add --given latent=….")
    start = None if start is None else torch.as_tensor(start)
    check_starts(start, n, model.data.event_shape)
    if denoise:
        check_noise(model, denoise)
    held = held_by(model, {name: value for name, value in given.items() if name != PIXELS}, strength, n)
    said = tuple(filter(None, [never_saw_noise(model) if start is None else ""]))
    free = Prepared(model=model, rows=held.values, start=start, names=held.names, said=said)
    whole = _with_pixels(free, given[PIXELS], denoise) if PIXELS in given else free
    return whole if anneals else replace(whole, model=ready(whole.model, whole.rows, seed))


def _with_pixels(made: Prepared, mask: Any, denoise: bool | float) -> Prepared:
    """Returns chains of the entries of x that a mask leaves free, the others being those of the start."""
    if made.start is None:
        raise RecipeError("Pixels are given of images: name those, start=x with one for each chain.")
    if denoise:
        raise RecipeError("--denoise would move the pixels that are given: leave one of them out.")
    part = inpainting(with_named_sampler(made.model), mask, made.start, made.rows)
    known = known_places(mask, tuple(made.model.data.event_shape))
    return replace(made, model=part.model, rows=part.rows, start=None, mask=known, said=part.notes)

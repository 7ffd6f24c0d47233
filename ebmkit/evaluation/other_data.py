"""Another data set, named as in `--data`, fitted to the events that a model knows; what was changed is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Generator, Tensor

from ebmkit.assembly.build import build_dataset
from ebmkit.data.arrays import ArrayData
from ebmkit.data.spec import DataSpec
from ebmkit.errors import DataError
from ebmkit.evaluation.fitting import fit_images, fit_range, is_image_shape, range_found
from ebmkit.plugins.host import host
from ebmkit.point import Batch
from ebmkit.protocols.dataset import Dataset
from ebmkit.recipes.data_part import data_part
from ebmkit.recipes.recipe import Part

ROWS_AT_ONCE = 2_000
STRETCHED = frozenset({"folder", "hf"})
"""Sets of pictures whose sizes may differ from one to the next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherData:
    """Rows of a data set as a model takes them.

    Attributes:
        batch: x [n, *event] in the value range of the model's data, on the CPU, and labels where there are any.
        rows: of the data set [n], ascending.
        notes: what was done to make them fit, a sentence each; none where nothing was.
        class_names: of the labels, perhaps empty.
    """

    batch: Batch
    rows: Tensor
    notes: tuple[str, ...]
    class_names: tuple[str, ...]


def fitted(text: str, data: DataSpec, n: int | None, rng: Generator) -> tuple[Batch, tuple[str, ...]]:
    """Returns n data of another set and what was done to make them fit; see `other_data`."""
    found = other_data(text, data, n, rng)
    return found.batch, found.notes


def other_data(text: str, data: DataSpec, n: int | None, rng: Generator) -> OtherData:
    """Returns rows of a data set `NAME:ARGUMENT` as events of a model.

    - Of another size: antialiased bicubic, both sides stretched to the new size.
    - Grey to colour: repeated. Colour to grey: .299 R + .587 G + .114 B (ITU-R BT.601).
    - Of another value range: mapped linearly. Without one, floats in [−1, 1] and in [0, 255] are mapped from there.
    - Images in [0, 1] that were resized or recoloured are rounded to 8 bits and dequantised, as data are when they are
      read: else they would lack its noise, and that alone would tell them.

    Args:
        text: as in `--data`: "mnist:FOLDER", "npz:FILE", "folder:DIR".
        data: what the model knows of its own data.
        n: rows, chosen at random; None, or more than there are, for all.
        rng: of the choice and of the dequantisation, on the CPU.

    Raises:
        DataError: the data cannot be had, or cannot be made events of that shape.
        RecipeError: there is no data set of that name.
    """
    part = data_part(text, host())
    dataset, notes = _built(part, data)
    _check_kind(text, dataset, data)
    rows = chosen_rows(len(dataset), n, rng)
    chunks = [dataset.batch(chunk, rng) for chunk in torch.split(rows, ROWS_AT_ONCE)]
    x, done = _fit(text, torch.cat([chunk.x for chunk in chunks]), dataset, data, rng)
    labels = [chunk.y for chunk in chunks if chunk.y is not None]
    y = torch.cat(labels) if len(labels) == len(chunks) else None
    told = tuple(f"{text}: {note}." for note in (*notes, *done))
    return OtherData(batch=Batch(x=x, y=y), rows=rows, notes=told, class_names=tuple(dataset.class_names))


def chosen_rows(n_rows: int, n: int | None, rng: Generator) -> Tensor:
    """Returns n of so many rows, chosen at random, ascending; all where n is None or larger."""
    if n is None or n >= n_rows:
        return torch.arange(n_rows)
    return torch.randperm(n_rows, generator=rng)[:n].sort().values


def set_name(text: str) -> str:
    """Returns what tables call a set: its name, of files and folders theirs.

    >>> set_name("mnist:/data/mnist"), set_name("npz:/data/letters.npz"), set_name("folder:faces/"), set_name("toy")
    ('mnist', 'letters', 'faces', 'toy')
    """
    name, _, argument = text.partition(":")
    return Path(argument).stem if name in ("npz", "folder") and argument else name


def set_names(texts: Sequence[str]) -> list[str]:
    """Returns `set_name` of each; where two are alike, the whole text of both.

    >>> set_names(["npz:a/x.npz", "npz:b/x.npz", "mnist"])
    ['npz:a/x.npz', 'npz:b/x.npz', 'mnist']
    """
    short = [set_name(text) for text in texts]
    return [name if short.count(name) == 1 else text for name, text in zip(short, texts, strict=True)]


def _built(part: Part, data: DataSpec) -> tuple[Dataset, tuple[str, ...]]:
    """Returns the data set of a part; pictures of several sizes are stretched to that of the events."""
    try:
        return build_dataset(part, "cpu"), ()
    except DataError:
        shape = data.event_shape
        if part.use not in STRETCHED or not is_image_shape(shape) or shape[1] != shape[2]:
            raise
    stretched = replace(part, settings={**part.settings, "resize": True, "size": shape[1]})
    note = f"its pictures differ in size: each was stretched to {shape[1]}×{shape[2]} (bicubic)"
    return build_dataset(stretched, "cpu"), (note,)


def _check_kind(text: str, dataset: Dataset, data: DataSpec) -> None:
    found, wanted = tuple(dataset.event_shape), tuple(data.event_shape)
    if dataset.x_values != data.x_values:
        raise DataError(
            f"{text} holds {dataset.x_values} x, and the run knows {data.x_values} x: they cannot be compared."
        )
    if found != wanted and not (is_image_shape(found) and is_image_shape(wanted)):
        raise DataError(
            f"{text} holds x of shape {list(found)}, and the run knows {list(wanted)}: only images, [1 or 3, H, W], "
            "are fitted to another shape. Give data of this shape."
        )


def _fit(text: str, x: Tensor, dataset: Dataset, data: DataSpec, rng: Generator) -> tuple[Tensor, tuple[str, ...]]:
    """Returns x as events of the model, and what was done to it."""
    if data.x_values != "real":
        return x, ()
    whole = dataset.x if isinstance(dataset, ArrayData) else x  # a few rows may happen to lie in a smaller range
    x, ranged = fit_range(x, range_found(text, whole, dataset.value_range, data.value_range), data.value_range)
    if tuple(x.shape[1:]) == tuple(data.event_shape):
        return x, ranged
    x, shaped = fit_images(x, data.event_shape, data.value_range, rng)
    return x, (*ranged, *shaped)

"""What samples can be given: a value of a coordinate, or a direction in the latent space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from torch import Generator, Tensor
from torch.nn import functional

from ebmkit.assembly.build import build_dataset
from ebmkit.data.picture_files import UNREADABLE, opened_picture
from ebmkit.errors import CapabilityError, DataError, RecipeError, did_you_mean
from ebmkit.plugins.host import host
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.dataset import Dataset
from ebmkit.protocols.energy import Energy, abilities_of, levels_of
from ebmkit.protocols.guided import Encodes, guidance_strength
from ebmkit.sampling.model import Model

N_CLASS_IMAGES = 500
"""Training images of a class whose latents are averaged."""

LABEL = "label"
"""The coordinate whose values are classes."""

LARGEST = 1e30
"""Bound of weights and strengths: sums of them stay finite in fp32."""


def condition(model: Model, given: Mapping[str, str], strength: float | None) -> dict[str, Tensor]:
    """Returns what every chain holds fixed: coordinate → value, without the batch dimension.

    Raises:
        RecipeError: a name or value makes no sense for this model.
    """
    fixed: dict[str, Tensor] = {}
    for name, value in given.items():
        text = str(value)
        fixed[name] = latent_direction(model, text, strength) if name == "latent" else _value(model, name, text)
    return fixed


def givable(model: Model) -> list[str]:
    """Returns the names that samples of a run can be given: its discrete coordinates, a label, and a latent."""
    encodes = any(isinstance(objective, Encodes) for objective in model.objectives.values())
    has_latent = encodes and "latent" in abilities_of(model.energy)
    discrete = [c.name for c in model.coordinates if n_values(c)]
    label = [LABEL] if takes_label(model) and LABEL not in discrete else []
    return [*discrete, *label, *(["latent"] if has_latent else [])]


def takes_label(model: Model) -> bool:
    """Whether samples can be given a class by its label.

    Either the label is a coordinate of the run, or its energy gives those of x with each label beside that of x alone,
    as one that is made of the logits of a classifier.
    """
    is_coordinate = any(coordinate.name == LABEL for coordinate in model.coordinates)
    return is_coordinate or (model.data.n_classes > 1 and levels_of(LABEL) in abilities_of(model.energy))


def n_values(coordinate: Coordinate) -> int:
    """Returns how many values a discrete coordinate has, 0 for one that is not discrete."""
    return coordinate.n_values or 0


def latent_direction(model: Model, text: str, strength: float | None = None) -> Tensor:
    """Returns s = Σ wᵢzᵢ [D] of "class:3*1,class:7*-0.5,image:FILE", scaled to a strength.

    Several conditions β·Σ wᵢ⟨g, zᵢ⟩ are one condition along s, so they cost what one costs; a negative weight negates.
    z of a class is the normalised mean of the encoder's latents of its training images, z of an image its own latent.

    Raises:
        RecipeError: a term cannot be read, or a weight or the strength is not finite.
        CapabilityError: the energy has no latent, or does not say its strength; or no objective has an encoder.
    """
    if strength is not None and not abs(strength) < LARGEST:
        raise RecipeError(f"--given-strength {strength}: a finite number of nats is needed, below {LARGEST:g} in size.")
    if "latent" not in abilities_of(model.energy):
        advice = " and ".join(map(_parts_that_give, ("energy.latent", "objective.encoder")))
        raise CapabilityError(f"--given latent={text}: the energy of this run has no latent. Train with {advice}.")
    encoder, terms = encoder_of(model), parse_terms(text)
    direction = torch.stack([weight * _latent(model, encoder, kind, value) for kind, value, weight in terms]).sum(dim=0)
    return direction if strength is None else direction * (strength / trained_strength(model.energy))


def trained_strength(energy: Energy) -> float:
    """Returns β of the latent as it was trained, nats; raises CapabilityError where the energy does not say."""
    found = guidance_strength(energy)
    if found is None:
        raise CapabilityError(
            f"--given-strength scales the strength of training, but {type(energy).__name__} does not say it: a wrapper "
            "that forwards a latent must forward `guidance_strength` too. Leave --given-strength out."
        )
    return found


def _parts_that_give(word: str) -> str:
    """Returns the flags of the installed parts that always give a capability word."""
    parts = [part for part, _ in host().all() if not callable(part.gives) and word in part.gives]
    return " or ".join(f"--{p.kind} {p.name}" for p in parts) or f"a part that gives '{word}' (none is installed)"


def parse_terms(text: str) -> list[tuple[str, str, float]]:
    """Returns (kind, value, weight) of each term of "class:3*1,image:FILE*-0.5"; the weight is 1 where it is left out.

    >>> parse_terms("class:3,class:7*-0.5")
    [('class', '3', 1.0), ('class', '7', -0.5)]
    """
    return [_term(term.strip(), text) for term in text.split(",")]


def _term(term: str, text: str) -> tuple[str, str, float]:
    kind, _, rest = term.partition(":")
    value, star, weight = rest.rpartition("*")
    try:
        number = float(weight) if star else 1.0
    except ValueError:
        value, number, star = rest, 1.0, ""  # a file name may hold a star
    if kind not in ("class", "image") or not (value if star else rest):
        raise RecipeError(f"--given latent={text}: '{term}' is not class:K, image:FILE or one of them times a weight.")
    if not isfinite(number) or abs(number) >= LARGEST:
        raise RecipeError(
            f"--given latent={text}: the weight of '{term}' is {number}. Write a finite one, below {LARGEST:g} in size."
        )
    return kind, value if star else rest, number


def encoder_of(model: Model) -> Encodes:
    """Returns the objective that can encode images; raises CapabilityError where no objective can."""
    for objective in model.objectives.values():
        if isinstance(objective, Encodes):
            return objective
    raise CapabilityError(
        "--given latent=…: no objective of this run has an encoder to say what a latent is. "
        f"Train with {_parts_that_give('objective.encoder')}."
    )


def _latent(model: Model, encoder: Encodes, kind: str, value: str) -> Tensor:
    images = class_images(model, value) if kind == "class" else read_image(model, Path(value))
    return functional.normalize(_encoded(encoder, images.to(model.device)).mean(dim=0), dim=0)


def _encoded(encoder: Encodes, images: Tensor) -> Tensor:
    return torch.cat([encoder.encode(chunk) for chunk in torch.split(images, 250)])


def class_images(model: Model, text: str) -> Tensor:
    """Returns training images [n, C, H, W] of a class, named as `class_index` reads it."""
    index = class_index(model, text, f"class:{text}")
    dataset = build_dataset(model.recipe.part("data"), model.device)
    rng = torch.Generator(device=model.device).manual_seed(0)
    kept = list(_of_class(dataset, index, rng))
    if not kept:
        raise DataError(f"class:{text}: the data set of this run holds no image of it.")
    return torch.cat(kept)[:N_CLASS_IMAGES]


def class_index(model: Model, text: str, asked: str) -> int:
    """Returns the index of a class: the one of that name, else the one of that number, which may be another's name.

    Raises:
        RecipeError: the data have no such class; `asked` is what was typed.
    """
    names, n = list(model.data.class_names), model.data.n_classes
    index = names.index(text) if text in names else _whole(text)
    if not 0 <= index < n:
        raise RecipeError(f"{asked} is unknown.{did_you_mean(text, names)} Classes: {_listed(names, n)}.")
    return index


def _of_class(dataset: Dataset, index: int, rng: Generator) -> Iterable[Tensor]:
    found = 0
    for rows in torch.split(torch.arange(len(dataset)), 1000):
        batch = dataset.batch(rows, rng)
        if batch.y is None:
            raise DataError("class:… needs labels, but the data set of this run has none.")
        images = batch.x[batch.y == index]
        found += len(images)
        yield images
        if found >= N_CLASS_IMAGES:
            return


def read_image(model: Model, path: Path, asked: str = "image:") -> Tensor:
    """Returns a picture file [1, C, H, W] in the value range of the data; it must have the size of the data.

    Args:
        model: with the data.
        path: of the file.
        asked: what stood before it.
    """
    shape = model.data.event_shape
    try:
        with opened_picture(path) as picture:
            array = np.asarray(picture.convert("L" if shape[0] == 1 else "RGB"), dtype=np.float32) / 255
    except UNREADABLE as error:
        raise DataError(f"{asked}{path} cannot be read: {error}.") from error
    axes = "h w -> 1 h w" if array.ndim == 2 else "h w c -> c h w"
    x = rearrange(torch.from_numpy(array.copy()), axes)
    if tuple(x.shape) != shape:
        raise DataError(
            f"{asked}{path} is {x.shape[1]}×{x.shape[2]}, but the run knows images of {shape[1]}×{shape[2]}."
        )
    low, high = model.data.value_range or (0.0, 1.0)
    return (x * (high - low) + low)[None]


def _value(model: Model, name: str, text: str) -> Tensor:
    asked = f"--given {name}={text}"
    if name == LABEL and takes_label(model):
        return torch.tensor(class_index(model, text, asked))
    n = next((n_values(c) for c in model.coordinates if c.name == name), None)
    if not n:
        why = "" if n is None else f"'{name}' has no values to choose from, and "
        raise RecipeError(f"{asked}: {why}this run can be given {', '.join(givable(model)) or 'nothing'}.")
    value = _whole(text)
    if not 0 <= value < n:
        raise RecipeError(f"{asked}: {name} is a whole number from 0 to {n - 1}.")
    return torch.tensor(value)


def _whole(text: str) -> int:
    """Returns the number that some digits spell, −1 where they are none, or more than an index can have."""
    return int(text) if text.isdecimal() and len(text) < 19 else -1


def _listed(names: list[str], n: int) -> str:
    if not names:
        return f"0 to {n - 1}" if n else "none, the data have no labels"
    return ", ".join(f"{i} {name}" for i, name in enumerate(names))

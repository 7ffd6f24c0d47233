"""What samples can be given: a value of a coordinate, or a direction in the latent space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Generator, Tensor
from torch.nn import functional

from ebmkit.building import build_dataset
from ebmkit.components import BuildContext
from ebmkit.errors import CapabilityError, DataError, RecipeError
from ebmkit.protocols import abilities_of
from ebmkit.runs import Run

N_CLASS_IMAGES = 500
"""Training images of a class whose latents are averaged."""


def condition(run: Run, given: Mapping[str, str], strength: float | None) -> dict[str, Tensor]:
    """Returns what every chain holds fixed: coordinate → value, without the batch dimension.

    Raises:
        RecipeError: a name or value makes no sense for this run.
    """
    names = [coordinate.name for coordinate in run.coordinates]
    fixed: dict[str, Tensor] = {}
    for name, text in given.items():
        if name == "latent":
            fixed[name] = latent_direction(run, text, strength)
        elif name in names:
            fixed[name] = _value(run, name, text)
        else:
            known = ", ".join([*names, *(["latent"] if "latent" in abilities_of(run.energy) else [])]) or "nothing"
            raise RecipeError(f"--given {name}={text}: this run can be given {known}.")
    return fixed


def latent_direction(run: Run, text: str, strength: float | None = None) -> Tensor:
    """Returns s = Σ wᵢzᵢ [D] of "class:3*1,class:7*-0.5,image:FILE", scaled to a strength.

    Several conditions β·Σ wᵢ⟨g, zᵢ⟩ are one condition along s, so they cost what one costs; a negative weight negates.
    z of a class is the normalised mean of the encoder's latents of its training images, z of an image its own latent.
    """
    if "latent" not in abilities_of(run.energy):
        raise CapabilityError(
            "--given latent=…: the energy of this run has no latent. Train with --objective clel, say."
        )
    encoder, terms = encoder_of(run), parse_terms(text)
    direction = torch.stack([weight * _latent(run, encoder, kind, value) for kind, value, weight in terms]).sum(dim=0)
    trained = trained_strength(run.energy)
    return direction * ((trained if strength is None else strength) / trained)


def trained_strength(energy: Any) -> float:
    """Returns β of the wrapper that gives the latent, wherever it is in the stack; 1 where none says."""
    while energy is not None:
        if hasattr(energy, "beta"):
            return float(energy.beta)
        energy = getattr(energy, "inner", None)
    return 1.0


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
    return kind, value if star else rest, number


def encoder_of(run: Run) -> Any:
    """Returns the objective that can encode images; raises CapabilityError where no objective can."""
    for objective in run.objectives.values():
        if hasattr(objective, "encode"):
            return objective
    raise CapabilityError("No objective of this run has an encoder (objective.encoder), so a latent cannot be given.")


def _latent(run: Run, encoder: Any, kind: str, value: str) -> Tensor:
    images = class_images(run, value) if kind == "class" else read_image(run, Path(value))
    return functional.normalize(_encoded(encoder, images.to(run.device)).mean(dim=0), dim=0)


def _encoded(encoder: Any, images: Tensor) -> Tensor:
    return torch.cat([encoder.encode(chunk) for chunk in torch.split(images, 250)])


def class_images(run: Run, text: str) -> Tensor:
    """Returns training images [n, C, H, W] of a class, named by index or by name."""
    names = list(run.facts.class_names)
    if not text.isdigit() and text not in names:
        raise RecipeError(f"class:{text} is unknown; classes: {_listed(names, run.facts.n_classes)}.")
    index = int(text) if text.isdigit() else names.index(text)
    if index >= run.facts.n_classes:
        raise RecipeError(f"class:{text} is unknown; classes: {_listed(names, run.facts.n_classes)}.")
    dataset = build_dataset(run.recipe, BuildContext(device=run.device))
    rng = torch.Generator(device=run.device).manual_seed(0)
    kept = list(_of_class(dataset, index, rng))
    if not kept:
        raise DataError(f"class:{text}: the data set of this run holds no image of it.")
    return torch.cat(kept)[:N_CLASS_IMAGES]


def _of_class(dataset: Any, index: int, rng: Generator) -> Iterable[Tensor]:
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


def read_image(run: Run, path: Path) -> Tensor:
    """Returns a picture file [1, C, H, W] in the value range of the data; it must have the size of the data."""
    shape = run.facts.event_shape
    try:
        with Image.open(path) as picture:
            array = np.asarray(picture.convert("L" if shape[0] == 1 else "RGB"), dtype=np.float32) / 255
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"image:{path} cannot be read: {error}.") from error
    x = torch.from_numpy(array.copy()).reshape(array.shape[0], array.shape[1], -1).permute(2, 0, 1)
    if tuple(x.shape) != shape:
        raise DataError(
            f"image:{path} is {x.shape[1]}×{x.shape[2]}, but the run knows images of {shape[1]}×{shape[2]}."
        )
    low, high = run.facts.value_range or (0.0, 1.0)
    return (x * (high - low) + low)[None]


def _value(run: Run, name: str, text: str) -> Tensor:
    try:
        value = int(text)
    except ValueError as error:
        names = list(run.facts.class_names)
        if name != "label" or text not in names:
            raise RecipeError(f"--given {name}={text}: an integer is needed.") from error
        value = names.index(text)
    if name == "label" and not 0 <= value < run.facts.n_classes:
        raise RecipeError(f"--given label={text}: labels are 0 to {run.facts.n_classes - 1}.")
    return torch.tensor(value)


def _listed(names: list[str], n: int) -> str:
    return ", ".join(f"{i} {name}" for i, name in enumerate(names)) if names else f"0 to {n - 1}"

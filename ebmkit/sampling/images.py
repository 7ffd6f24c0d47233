"""Images whose known pixels are given: those of a file or a folder, or data of the run."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ebmkit.assembly.build import build_dataset
from ebmkit.errors import CapabilityError, DataError
from ebmkit.protocols.dataset import Dataset
from ebmkit.rng import stream
from ebmkit.sampling.given import read_image
from ebmkit.sampling.model import Model

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
"""What a folder is looked through for."""

PARTS = ("test", "train")
"""Words for data of the run; test data are those that it was not trained on."""


def images_for(model: Model, asked: str | None, n: int, seed: int) -> tuple[Tensor, str]:
    """Returns an image for each of n chains [n, *event], in the value range of the data, and what they are.

    Where there are fewer images than chains, each is that of several chains, one block after the other.

    Args:
        model: with the data that it was trained on.
        asked: a picture file, a folder of such, or "test" or "train" for data of the run; unset, test data, or training
            data where there are none.
        n: chains.
        seed: of the choice of rows.

    Raises:
        DataError: there are no such images, or they have another size than those of the data.
        CapabilityError: the data of the run are no images.
    """
    shape = tuple(model.data.event_shape)
    if len(shape) != 3:
        raise CapabilityError(f"--images: the data of this run are no images, their x has shape {list(shape)}.")
    if asked is not None and asked not in PARTS:
        files = _files(Path(asked))[:n]
        found, what = torch.cat([read_image(model, path, "--images ") for path in files]), f"{len(files)} of {asked}"
    else:
        found, what = _data(model, asked, n, seed)
    return found[torch.arange(n) * len(found) // n], what


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError(f"--images {path}: there is no such file or folder. Write {' or '.join(PARTS)} for data.")
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise DataError(f"--images {path}: the folder holds no picture ({', '.join(sorted(SUFFIXES))}).")
    return files


def _data(model: Model, asked: str | None, n: int, seed: int) -> tuple[Tensor, str]:
    dataset, what = _part(model, asked)
    rows = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(seed))[:n].to(model.device)
    x = dataset.batch(rows, stream(seed, 0, "given pixels", model.device)).x
    return x, f"{len(x)} {what} of {model.recipe.part('data').use}"


def _part(model: Model, asked: str | None) -> tuple[Dataset, str]:
    """Returns a part of the data of a run, and what it is."""
    dataset = build_dataset(model.recipe.part("data"), model.device)
    if asked != "train":
        try:
            return dataset.split("test"), "test images"
        except DataError:
            if asked == "test":
                raise
    return dataset.split("train"), "training images"

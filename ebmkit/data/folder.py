"""Images in a folder; sub-folders are classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ebmkit.data.arrays import SPLITS, ArrayData, known_split
from ebmkit.data.declarations import FolderConfig
from ebmkit.data.images import stack_images
from ebmkit.data.picture_files import UNREADABLE, opened_picture
from ebmkit.data.raw import Raw, array_data
from ebmkit.data.shards_config import ShardsConfig
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm")


def build_folder(config: FolderConfig, context: BuildContext) -> ArrayData:
    """Returns the images of a folder, classes taken in turn, so that every prefix is about balanced.

    Raises:
        DataError: no folder or no image in it, images beside class folders, or images that differ from what was asked.
    """
    root = split_folder(config)
    class_names, files = labelled_files(root)
    if not files:
        raise DataError(f"{root} holds no images. Looked for {', '.join(SUFFIXES)}, there and in its sub-folders.")
    files = files[: config.limit or None]
    x = stack_images(
        _opened(path for path, _ in files), len(files), config.max_bytes,
        size=config.size, channels=config.channels, resize=config.resize,
    )  # fmt: skip
    y = np.array([label for _, label in files]) if class_names else None
    read = tuple(path for path, _ in files)
    raw = Raw(origin=str(root), x=x, y=y, n_classes=len(class_names), class_names=class_names, files=read)
    return array_data(raw, config, context, build_folder)


def split_folder(config: FolderConfig | ShardsConfig, name: str = "folder", what: str = "images") -> Path:
    """Returns the folder of the split: a sub-folder where there are only `train` and `test`, else the folder itself.

    Raises:
        DataError: there is no such folder, or no part of that name.
    """
    root = Path(config.path).expanduser()
    if not config.path or not root.is_dir():
        raise DataError(
            f"Data set '{name}' needs a folder of {what}, found none at '{config.path}'. Write --data {name}:DIR."
        )
    split = known_split(config.split)
    names = {folder.name for folder in _subfolders(root)}
    if names and names <= set(SPLITS):
        if split not in names:
            raise DataError(f"{root} has no {split} part; found: {', '.join(sorted(names))}. Add {root / split}.")
        return root / split
    if split != "train":
        raise DataError(f"{root} has no {split} part. Put the {what} into {root / 'train'} and {root / 'test'}.")
    return root


def labelled_files(root: Path) -> tuple[tuple[str, ...], list[tuple[Path, int]]]:
    """Returns the class names (none where there are no sub-folders with images) and (file, label), classes in turn.

    Raises:
        DataError: images lie both in the folder and in its sub-folders.
    """
    loose = _images(root.iterdir())
    classes = [(folder.name, _images(folder.rglob("*"))) for folder in _subfolders(root)]
    classes = [(name, paths) for name, paths in classes if paths]
    if loose and classes:
        raise DataError(
            f"{root} holds {len(loose)} images beside the class folders {', '.join(n for n, _ in classes)}: "
            "which class are they? Move them into a sub-folder, or give a folder without sub-folders."
        )
    if not classes:
        return (), [(path, 0) for path in loose]
    ranked = [(rank, label, path) for label, (_, paths) in enumerate(classes) for rank, path in enumerate(paths)]
    return tuple(name for name, _ in classes), [(path, label) for _, label, path in sorted(ranked)]


def _subfolders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))


def _images(paths: Iterator[Path]) -> list[Path]:
    return sorted(p for p in paths if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file())


def _opened(paths: Iterator[Path]) -> Iterator[tuple[str, Image.Image]]:
    for path in paths:
        try:
            with opened_picture(path) as image:
                image.load()
        except UNREADABLE as error:
            raise DataError(f"{path} is not a readable image: {error}. Repair or remove it.") from error
        yield str(path), image

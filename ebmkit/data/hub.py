"""Image sets of the Hugging Face hub, through its `datasets` library."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ebmkit.data.arrays import ArrayData, known_split
from ebmkit.data.hub_config import HfConfig
from ebmkit.data.images import stack_images
from ebmkit.data.picture_files import UNREADABLE, opened_picture
from ebmkit.data.raw import Array, Raw, array_data
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext


class Rows(Protocol):
    """What is used of a `datasets.Dataset`."""

    column_names: Sequence[str]
    features: Mapping[str, object]

    def __len__(self) -> int: ...

    def __getitem__(self, column: str, /) -> Iterable[object]: ...

    def cast_column(self, column: str, feature: object, /) -> Rows:
        """Returns the rows with a column as another feature."""
        ...

    def select(self, indices: Iterable[int], /) -> Rows:
        """Returns some of the rows."""
        ...


def build_hf(config: HfConfig, context: BuildContext) -> ArrayData:
    """Returns a split of a hub set whose rows hold a picture and perhaps a class label.

    Raises:
        DataError: the library is not installed, the set cannot be loaded, or its columns are other ones.
    """
    rows = load_rows(config)
    origin = f"{config.name} ({config.split})"
    x = stack_images(
        _pictures(rows, config, origin), len(rows), config.max_bytes,
        size=config.size, channels=config.channels, resize=config.resize,
    )  # fmt: skip
    class_names = _class_names(rows, config)
    raw = Raw(origin=origin, x=x, y=_labels(rows, config), n_classes=len(class_names), class_names=class_names)
    return array_data(raw, config, context, build_hf)


def load_rows(config: HfConfig) -> Rows:
    """Returns the first `config.limit` rows as a `datasets.Dataset`.

    Raises:
        DataError: no name, no library, no such set or split, or a column that it does not have.
    """
    if not config.name:
        raise DataError("Data set 'hf' needs the name of a set. Write --data hf:NAME.")
    library = hub_library("hf")
    try:
        rows: Rows = library.load_dataset(config.name, config.subset or None, split=known_split(config.split))
    except (OSError, ValueError, RuntimeError, library.exceptions.DatasetsError) as error:
        raise DataError(
            f"Split '{config.split}' of '{config.name}' cannot be loaded: {error}. Check name, subset and split."
        ) from error
    for column in filter(None, (config.image_column, config.label_column)):
        if column not in rows.column_names:
            raise DataError(
                f"'{config.name}' has no column '{column}'; found: {', '.join(rows.column_names)}. "
                "Set data.image_column, and data.label_column (empty for no labels)."
            )
    rows = undecoded(rows, config.image_column, library)
    return rows.select(range(min(config.limit, len(rows)))) if config.limit else rows


def hub_library(part: str) -> Any:
    """Returns the library `datasets`; raises DataError where it is not installed."""
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise DataError(
            f"Data set '{part}' needs the library 'datasets', which cannot be imported ({error}). "
            "Install ebmkit-core[hf], or datasets itself."
        ) from error


def _pictures(rows: Rows, config: HfConfig, origin: str) -> Iterator[tuple[str, Image.Image]]:
    for index, image in enumerate(_decoded(rows[config.image_column], origin)):
        if not isinstance(image, Image.Image):
            raise DataError(
                f"{origin}: column '{config.image_column}' must hold pictures, found {type(image).__name__} "
                f"in row {index}. Set data.image_column to another one."
            )
        yield f"{origin}, row {index}", image


def _decoded(column: Iterable[object], origin: str) -> Iterator[object]:
    try:
        for value in column:
            yield picture_of(value)
    except UNREADABLE as error:
        raise DataError(f"{origin} holds a picture that cannot be read: {error}. Leave the row out.") from error


def picture_of(value: object) -> object:
    """Returns a picture that came as bytes, or as the path of a file, decoded; anything else as it is."""
    if not isinstance(value, Mapping) or not {"bytes", "path"} <= value.keys():
        return value
    with opened_picture(Path(value["path"]) if value["bytes"] is None else BytesIO(value["bytes"])) as picture:
        picture.load()
        return picture


def undecoded(rows: Any, column: str, library: Any) -> Any:
    """Returns rows whose pictures come as bytes: the library would decode any format that a file claims to be."""
    kind = getattr(library, "Image", None)
    if kind is None or not isinstance((rows.features or {}).get(column), kind):
        return rows
    return rows.cast_column(column, kind(decode=False))


def _labels(rows: Rows, config: HfConfig) -> Array | None:
    return np.asarray(list(rows[config.label_column])) if config.label_column else None


def _class_names(rows: Rows, config: HfConfig) -> tuple[str, ...]:
    feature = rows.features.get(config.label_column)
    return tuple(getattr(feature, "names", None) or ())

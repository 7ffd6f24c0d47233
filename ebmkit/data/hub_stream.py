"""Image sets of the Hugging Face hub beyond memory: each of their files is a shard that is read as it is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ebmkit.data.arrays import known_split
from ebmkit.data.hub import hub_library, picture_of, undecoded
from ebmkit.data.hub_config import HfStreamConfig
from ebmkit.data.images import stack_images
from ebmkit.data.picture_files import UNREADABLE
from ebmkit.data.raw import Array
from ebmkit.data.shards import ShardData, shard_data
from ebmkit.display.doing import doing
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext

TRIED = 100
"""First rows that may be damaged before the shape of an image is known."""


class Stream(Protocol):
    """What is used of a `datasets.IterableDataset`."""

    column_names: Sequence[str] | None
    features: Mapping[str, object]
    num_shards: int

    def __iter__(self) -> Iterator[Mapping[str, object]]: ...

    def shard(self, num_shards: int, index: int) -> Stream:
        """Returns the rows of one of its files."""
        ...

    def select_columns(self, column_names: str) -> Stream:
        """Returns the rows with this column alone."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class HubShard:
    """The rows of one file of a streamed set; see `ebmkit.data.shards.Shard`."""

    path: Path
    rows: Stream
    n_rows: int
    event_shape: tuple[int, ...]
    config: HfStreamConfig

    @property
    def row_bytes(self) -> int:
        """Bytes of a decoded datum."""
        return int(np.prod(self.event_shape, dtype=object))

    def read(self) -> tuple[Array, Array | None, dict[int, str]]:
        """Returns x, labels, and by row what could not be decoded; raises DataError where the file cannot be read."""
        x = np.zeros((self.n_rows, *self.event_shape), dtype=np.uint8)
        y, wrong = np.full(self.n_rows, -1, dtype=np.int64), dict[int, str]()
        n = 0
        for n, row in enumerate(read_rows(self.rows, self.path), 1):
            if n > self.n_rows:
                break
            try:
                x[n - 1] = _decoded(row, self.config, self.event_shape)
                label = row.get(self.config.label_column)
                y[n - 1] = label if isinstance(label, int) else -1
            except (*UNREADABLE, DataError) as error:
                wrong[n - 1] = str(error)
        if n != self.n_rows:
            raise DataError(f"{self.path}: {self.n_rows} rows were counted, and others are there now. Was it changed?")
        return x, y, wrong


def build_hf_stream(config: HfStreamConfig, context: BuildContext) -> ShardData:
    """Returns a split of a hub set that is read while training; its rows are counted here.

    Raises:
        DataError: the library is not installed, the set cannot be loaded, its columns are other ones, it holds no data
            or no images, or `mixed` of its files twice do not fit into `max_bytes`.
    """
    rows, origin = _opened(config), f"{config.name} ({config.split})"
    shape = _shape(rows, config, origin)
    parts = [rows.shard(rows.num_shards, index) for index in range(rows.num_shards)]
    shards = []
    for index, part in enumerate(parts):
        doing(f"counting the rows of {origin}, file {index + 1} of {len(parts)}")
        path = Path(f"{origin}, file {index}")
        counted = part.select_columns(config.label_column or config.image_column)
        n = sum(1 for _ in read_rows(counted, path))
        shards.append(HubShard(path=path, rows=part, n_rows=n, event_shape=shape, config=config))
    names = tuple(getattr(rows.features.get(config.label_column), "names", None) or ())
    return shard_data(
        tuple(shard for shard in shards if shard.n_rows), config, context, origin, value_range=(0.0, 1.0),
        n_classes=(len(names) or config.n_classes) if config.label_column else 0, class_names=names,
        open_split=lambda name: build_hf_stream(replace(config, split=known_split(name)), context),
    )  # fmt: skip


def read_rows(rows: Stream, path: Path) -> Iterator[Mapping[str, object]]:
    """Yields the rows of a file; raises DataError where the library cannot read it, whatever it raises."""
    try:
        yield from rows
    except Exception as error:  # of the network, of parquet, of a file system
        why = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise DataError(
            f"{path} cannot be read: {why}. Repair it; resuming goes on from the last checkpoint."
        ) from error


def _opened(config: HfStreamConfig) -> Stream:
    """Returns the rows of a split, undecoded; raises DataError where there are none of this name, or of the columns."""
    if not config.name:
        raise DataError("Data set 'hf-stream' needs the name of a set. Write --data hf-stream:NAME.")
    library = hub_library("hf-stream")
    split = known_split(config.split)
    try:
        rows: Any = library.load_dataset(config.name, config.subset or None, split=split, streaming=True)
        found = list(rows.column_names or next(iter(rows), {}))
    except (OSError, ValueError, RuntimeError, library.exceptions.DatasetsError) as error:
        raise DataError(
            f"Split '{config.split}' of '{config.name}' cannot be streamed: {error}. Check name, subset and split."
        ) from error
    for column in filter(None, (config.image_column, config.label_column)):
        if column not in found:
            raise DataError(
                f"'{config.name}' has no column '{column}'; found: {', '.join(found) or 'none'}. "
                "Set data.image_column, and data.label_column (empty for no labels)."
            )
    stream: Stream = undecoded(rows, config.image_column, library)
    return stream


def _shape(rows: Stream, config: HfStreamConfig, origin: str) -> tuple[int, ...]:
    """Returns the shape of the first images that can be decoded."""
    wrong = ""
    for row in islice(read_rows(rows, Path(origin)), TRIED):
        try:
            return _decoded(row, config, None).shape
        except (*UNREADABLE, DataError) as error:
            wrong = wrong or str(error)
    if wrong:
        raise DataError(f"None of the first {TRIED} images of {origin} can be decoded: {wrong}.")
    raise DataError(f"{origin} holds no data.")


def _decoded(row: Mapping[str, object], config: HfStreamConfig, event_shape: tuple[int, ...] | None) -> Array:
    """Returns an image as uint8 [C, H, W]; raises DataError or what is in `UNREADABLE` where it is none."""
    picture = picture_of(row[config.image_column])
    if not isinstance(picture, Image.Image):
        raise DataError(f"column '{config.image_column}' holds {type(picture).__name__}, and no picture")
    channels, height = (config.channels, config.size) if event_shape is None else event_shape[:2]
    x: Array = stack_images([("it", picture)], 1, size=height, channels=channels, resize=config.resize)[0]
    if event_shape is not None and x.shape != event_shape:
        raise DataError(f"it has shape {x.shape}, and {event_shape} is that of the first")
    return x

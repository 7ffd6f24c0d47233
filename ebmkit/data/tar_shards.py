"""Shards that are tar files of pictures, as WebDataset writes them: KEY.png or another picture, and KEY.cls.

The files of a datum follow each other and share their key, the name up to its first dot.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np

from ebmkit.data.images import stack_images
from ebmkit.data.measured_file import MeasuredFile, opened_tar
from ebmkit.data.picture_files import UNREADABLE, opened_picture
from ebmkit.data.raw import Array
from ebmkit.data.shards_config import ShardsConfig
from ebmkit.errors import DataError

SUFFIXES = ("png", "jpg", "jpeg", "webp", "bmp", "ppm", "pgm")
LABEL = "cls"
MOST_MEMBER = 2**26
"""Bytes of one picture file."""


@dataclass(frozen=True, slots=True)
class Member:
    """Where a datum lies in its archive: places and lengths in bytes; no label where its length is 0."""

    key: str
    picture: tuple[int, int]
    label: tuple[int, int] = (0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class TarShard:
    """A tar file whose headers were read; see `ebmkit.data.shards.Shard`."""

    path: Path
    members: tuple[Member, ...]
    event_shape: tuple[int, ...]
    config: ShardsConfig

    @property
    def n_rows(self) -> int:
        """Data in it."""
        return len(self.members)

    @property
    def row_bytes(self) -> int:
        """Bytes of a decoded datum."""
        return int(np.prod(self.event_shape, dtype=object))

    def read(self) -> tuple[Array, Array | None, dict[int, str]]:
        """Returns x, labels, and by row what could not be decoded; raises DataError where the file cannot be read."""
        x = np.zeros((self.n_rows, *self.event_shape), dtype=np.uint8)
        y, wrong = np.full(self.n_rows, -1, dtype=np.int64), dict[int, str]()
        try:
            with self.path.open("rb") as file:
                for row, member in enumerate(self.members):
                    try:
                        x[row] = _decoded(_bytes(file, member.picture), member.key, self.event_shape, self.config)
                        y[row] = int(_bytes(file, member.label)) if member.label[1] else -1
                    except (*UNREADABLE, DataError) as error:
                        wrong[row] = f"{member.key}: {error}"
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error}.") from error
        return x, y, wrong


def tar_shard(path: Path, config: ShardsConfig) -> TarShard:
    """Returns a shard by the headers in it; one picture is decoded for its shape.

    Raises:
        DataError: it is no tar file, is compressed, or its first pictures cannot be decoded.
    """
    try:
        with path.open("rb") as file, MeasuredFile(file, MOST_MEMBER, path.stat().st_size) as content:
            with opened_tar(content) as archive:
                members = tuple(_members(archive))
            return TarShard(path=path, members=members, event_shape=_shape(file, members, config), config=config)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise DataError(f"{path} is no readable tar file: {error}. Write it again, without compression.") from error


def _members(archive: tarfile.TarFile) -> Iterator[Member]:
    """Yields the data of an archive whose picture is there."""
    key, places = "", dict[str, tuple[int, int]]()
    for member in archive:
        folder, slash, name = member.name.rpartition("/")
        stem, _, suffix = name.partition(".")
        if folder + slash + stem != key:
            yield from _datum(key, places)
            key, places = folder + slash + stem, {}
        if member.isreg() and not member.issparse() and member.size <= MOST_MEMBER:
            places[suffix.lower()] = (member.offset_data, member.size)
        archive.members = []  # type: ignore[attr-defined]  # it would keep every header
    yield from _datum(key, places)


def _datum(key: str, places: dict[str, tuple[int, int]]) -> Iterator[Member]:
    picture = next((places[suffix] for suffix in SUFFIXES if suffix in places), None)
    if picture is not None:
        label = places.get(LABEL, (0, 0))
        yield Member(key, picture, label if label[1] <= 32 else (0, 0))


def _bytes(file: IO[bytes], place: tuple[int, int]) -> bytes:
    file.seek(place[0])
    return file.read(place[1])


def _decoded(content: bytes, key: str, event_shape: tuple[int, ...] | None, config: ShardsConfig) -> Array:
    """Returns a picture as uint8 [C, H, W]; raises DataError or what is in `UNREADABLE` where it is none."""
    channels, height = (config.channels, config.size) if event_shape is None else event_shape[:2]
    with opened_picture(BytesIO(content)) as picture:
        x: Array = stack_images([(key, picture)], 1, size=height, channels=channels, resize=config.resize)[0]
    if event_shape is not None and x.shape != event_shape:
        raise DataError(f"{key} has shape {x.shape}, and {event_shape} is that of the first.")
    return x


def _shape(file: IO[bytes], members: tuple[Member, ...], config: ShardsConfig) -> tuple[int, ...]:
    """Returns the shape of the first pictures that can be decoded."""
    wrong = ""
    for member in members[:100]:
        try:
            return _decoded(_bytes(file, member.picture), member.key, None, config).shape
        except (*UNREADABLE, DataError) as error:
            wrong = wrong or str(error)
    if members:
        raise DataError(f"None of its first {min(len(members), 100)} pictures can be decoded: {wrong}.")
    return ()

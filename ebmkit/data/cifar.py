"""CIFAR-10 from the original Python batches, the archive of them, or npz files."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from einops import rearrange

from ebmkit.data.arrays import ArrayData, known_split
from ebmkit.data.files_config import FilesConfig
from ebmkit.data.measured_file import MeasuredFile, opened_tar
from ebmkit.data.npz import read_arrays
from ebmkit.data.places import find_files
from ebmkit.data.raw import Array, Raw, array_data, channels_first
from ebmkit.data.unpickle import read_cifar_batch
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext

BATCHES = {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)}
FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
EVENT_SHAPE = (3, 32, 32)
GZIP_MAGIC = b"\x1f\x8b"
MOST_BATCH, MOST_ARCHIVE = 2**26, 2**28
"""Bytes that a batch, and an archive of them, may have."""
ADVICE = f"Get {ARCHIVE} from https://www.cs.toronto.edu/~kriz/cifar.html; it need not be unpacked."


def build_cifar10(config: FilesConfig, context: BuildContext) -> ArrayData:
    """Returns a part of CIFAR-10.

    It is read from the first of these that is complete in a folder: the batches below `cifar-10-batches-py`, the
    batches themselves, the archive of them, or `cifar10_train.npz` and `cifar10_test.npz` with x uint8, [N, 3, 32, 32]
    or [N, 32, 32, 3], and y [N].

    Raises:
        DataError: the files are missing, damaged, or hold something else.
    """
    names = BATCHES[known_split(config.split)]
    layouts = ([f"{FOLDER}/{name}" for name in names], names, [ARCHIVE], [f"cifar10_{config.split}.npz"])
    paths = find_files("cifar10", config.root, layouts, advice=ADVICE)
    x, y = _read(paths, names, config.max_bytes)
    if x.shape[1:] != EVENT_SHAPE or x.dtype != np.uint8 or y is None:
        found = f"x {x.dtype} {x.shape}, {'no y' if y is None else 'y'}"
        raise DataError(f"{paths[0]}: CIFAR-10 has x uint8 (N, 3, 32, 32) and y; found {found}. Fetch the set again.")
    raw = Raw(origin=str(paths[0]), x=x, y=y, n_classes=len(CLASS_NAMES), class_names=CLASS_NAMES, files=tuple(paths))
    return array_data(raw, config, context, build_cifar10)


def _read(paths: tuple[Path, ...], names: tuple[str, ...], max_bytes: int) -> tuple[Array, Array | None]:
    if paths[0].suffix == ".npz":
        x, y = read_arrays(paths[0], max_bytes)
        return channels_first(x), y
    contents = _archived(paths[0], names) if paths[0].name == ARCHIVE else _files(paths)
    return joined(contents)


def joined(contents: Iterator[tuple[str, bytes]]) -> tuple[Array, Array]:
    """Returns images [N, 3, 32, 32] and labels [N] of pickled batches, given as (origin, content), in their order."""
    images, labels = [], []
    for origin, content in contents:
        batch = read_cifar_batch(content, origin)
        if batch.data.shape != (len(batch.labels), 3072):
            found = f"data {batch.data.shape} and {len(batch.labels)} labels"
            raise DataError(f"{origin}: one row of 3072 values a label was expected, found {found}. Fetch it again.")
        images.append(rearrange(batch.data, "n (c h w) -> n c h w", c=3, h=32))
        labels.append(batch.labels)
    return np.concatenate(images), np.concatenate(labels)


def _files(paths: tuple[Path, ...]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        try:
            with path.open("rb") as file:
                yield str(path), _batch(file, path.stat().st_size)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error}. Check its permissions.") from error


def _archived(path: Path, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Yields the members of the archive in memory: nothing is unpacked to disk."""
    try:
        with path.open("rb") as file, _measured(file) as content, opened_tar(content) as archive:
            for name in names:
                member = archive.getmember(f"{FOLDER}/{name}")
                batch = archive.extractfile(member) if member.isreg() else None
                if batch is None:
                    raise DataError(f"{path}: {FOLDER}/{name} is not a file. Fetch the archive again.")
                yield f"{path}:{name}", _batch(batch, member.size)
    except (tarfile.TarError, OSError, EOFError, LookupError, ValueError, zlib.error) as error:
        raise DataError(f"{path} is not a readable CIFAR-10 archive: {error}. Fetch it again.") from error


def _batch(file: IO[bytes], size: int) -> bytes:
    if size > MOST_BATCH:
        raise OSError(f"a batch has about 31,000,000 bytes, and this one claims {size:,}")
    return file.read(MOST_BATCH)


def _measured(file: IO[bytes]) -> MeasuredFile:
    is_packed = file.read(2) == GZIP_MAGIC
    file.seek(0)
    return MeasuredFile(gzip.GzipFile(fileobj=file) if is_packed else file, MOST_BATCH, MOST_ARCHIVE)

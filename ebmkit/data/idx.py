"""MNIST and Fashion-MNIST: the idx file format, plain or gzipped."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from ebmkit.data.arrays import ArrayData, known_split
from ebmkit.data.budget import check_shape
from ebmkit.data.files_config import MOST_BYTES, FilesConfig
from ebmkit.data.places import find_files
from ebmkit.data.raw import Array, Raw, array_data
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
DIGITS = tuple(str(digit) for digit in range(10))
GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 0x08
PIECE = 2**20
"""Bytes that are read at a time."""


def build_mnist(config: FilesConfig, context: BuildContext) -> ArrayData:
    """Returns a part of MNIST; raises DataError where its files are missing or damaged."""
    advice = "Get them from https://ossci-datasets.s3.amazonaws.com/mnist/ (one .gz each)."
    return array_data(read_set("mnist", config, DIGITS, advice), config, context, build_mnist)


def build_fashion_mnist(config: FilesConfig, context: BuildContext) -> ArrayData:
    """Returns a part of Fashion-MNIST; raises DataError where its files are missing or damaged."""
    advice = "Get them from https://github.com/zalandoresearch/fashion-mnist (data/fashion)."
    return array_data(read_set("fashion-mnist", config, GARMENTS, advice), config, context, build_fashion_mnist)


def read_set(name: str, config: FilesConfig, class_names: tuple[str, ...], advice: str) -> Raw:
    """Returns images [N, 1, H, W] and labels of the split that the config asks for."""
    layouts = [FILES[known_split(config.split)]]
    images, labels = find_files(name, config.root, layouts, advice=advice, suffixes=("", ".gz"))
    return Raw(
        origin=str(images),
        x=read_idx(images, 3, config.max_bytes)[:, None],
        y=read_idx(labels, 1, config.max_bytes),
        n_classes=len(class_names),
        class_names=class_names,
        files=(images, labels),
    )


def read_idx(path: Path, n_axes: int, max_bytes: int = MOST_BYTES) -> Array:
    """Returns the uint8 array of an idx file, gzipped or not.

    Raises:
        DataError: it is none of so many axes, is damaged, or takes more bytes than may be; it is then not read.
    """
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            return parse_idx(gzip.GzipFile(fileobj=file) if is_packed else file, path, n_axes, max_bytes)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from error


def parse_idx(content: IO[bytes] | gzip.GzipFile, path: Path, n_axes: int, max_bytes: int = MOST_BYTES) -> Array:
    """Returns the uint8 array that an idx file holds: two zeros, type, number of axes, their lengths, the values.

    Raises:
        DataError: another type or number of axes, more or fewer bytes than the lengths say, or more than may be.
    """
    header = content.read(4 + 4 * n_axes)
    if len(header) < 4 + 4 * n_axes or header[:2] != b"\x00\x00":
        raise _damaged(path, "it does not begin like an idx file")
    if header[2] != UNSIGNED_BYTE or header[3] != n_axes:
        raise _damaged(path, f"{n_axes} axes of bytes were expected, found {header[3]} axes of type {header[2]:#04x}")
    shape = struct.unpack(f">{n_axes}I", header[4:])
    check_shape(shape, 1, max_bytes, path)
    values = np.empty(math.prod(shape), dtype=np.uint8)
    n_read = _filled(values, content)
    if n_read < len(values) or content.read(1):
        found = f"{n_read}" if n_read < len(values) else "more"
        raise _damaged(path, f"shape {shape} needs {len(values)} bytes, found {found}")
    return values.reshape(shape)


def _filled(values: Array, content: IO[bytes] | gzip.GzipFile) -> int:
    """Reads bytes into an array, and returns how many there were."""
    n_read = 0
    while n_read < len(values):
        piece = content.read(min(PIECE, len(values) - n_read))
        if not piece:
            break
        values[n_read : n_read + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        n_read += len(piece)
    return n_read


def _damaged(path: Path, found: str) -> DataError:
    return DataError(f"{path} is not a readable idx file: {found}. Fetch it again.")

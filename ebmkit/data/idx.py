"""MNIST and Fashion-MNIST: the idx file format, plain or gzipped."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from ebmkit.data.arrays import ArrayData, known_split
from ebmkit.data.files_config import FilesConfig
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
        x=read_idx(images, n_axes=3)[:, None],
        y=read_idx(labels, n_axes=1),
        n_classes=len(class_names),
        class_names=class_names,
    )


def read_idx(path: Path, n_axes: int) -> Array:
    """Returns the uint8 array of an idx file, gzipped or not; raises DataError where it is none of so many axes."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from error
    return parse_idx(content, path, n_axes)


def parse_idx(content: bytes, path: Path, n_axes: int) -> Array:
    """Returns the uint8 array that idx bytes hold: two zeros, the type, the number of axes, their lengths, the values.

    Raises:
        DataError: another type or number of axes, or more or fewer bytes than the lengths say.
    """
    if len(content) < 4 + 4 * n_axes or content[:2] != b"\x00\x00":
        raise _damaged(path, "it does not begin like an idx file")
    if content[2] != UNSIGNED_BYTE or content[3] != n_axes:
        raise _damaged(path, f"{n_axes} axes of bytes were expected, found {content[3]} axes of type {content[2]:#04x}")
    shape = struct.unpack(f">{n_axes}I", content[4 : 4 + 4 * n_axes])
    n_bytes = len(content) - 4 - 4 * n_axes
    if math.prod(shape) != n_bytes:
        raise _damaged(path, f"shape {shape} needs {math.prod(shape)} bytes, found {n_bytes}")
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * n_axes).reshape(shape)


def _damaged(path: Path, found: str) -> DataError:
    return DataError(f"{path} is not a readable idx file: {found}. Fetch it again.")

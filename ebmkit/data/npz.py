"""Arrays in npz files."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile

from ebmkit.data.arrays import ArrayData, known_split
from ebmkit.data.budget import check_bytes
from ebmkit.data.declarations import NpzConfig
from ebmkit.data.files_config import MOST_BYTES
from ebmkit.data.raw import Array, Raw, array_data, channels_first
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext

ERRORS = (
    OSError, EOFError, KeyError, MemoryError, OverflowError, RuntimeError, SyntaxError, TypeError, ValueError,
    struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy and zipfile raise on damaged, encrypted or pickled files."""

MOST_HEADER = 2**16
"""Bytes that the header of an array may have: shape and type."""


def build_npz(config: NpzConfig, context: BuildContext) -> ArrayData:
    """Returns the set of an npz file: uint8 values are dequantised, float values are taken as they are.

    [N, H, W] and [N, H, W, C] arrays become [N, C, H, W]. The value range of floats is (0, 1) where all of them lie
    within it, else None.

    Raises:
        DataError: no path, no such file, a damaged file, or arrays that cannot be data.
    """
    return array_data(_raw(_path_of(config), config), config, context, build_npz)


def _raw(path: Path, config: NpzConfig) -> Raw:
    x, y = read_arrays(path, config.max_bytes)
    return Raw(origin=str(path), x=channels_first(x), y=y, n_classes=config.n_classes, files=(path,))


def read_arrays(path: Path, max_bytes: int = MOST_BYTES) -> tuple[Array, Array | None]:
    """Returns x and, where there is one, y of an npz file; raises DataError where it has no x or is damaged."""
    arrays = read_npz(path, ("x", "y"), max_bytes)
    if "x" not in arrays:
        raise DataError(f"{path} has no array 'x'; found: {', '.join(names_of(path)) or 'none'}. Save it with x=….")
    return arrays["x"], arrays.get("y")


def read_npz(path: Path, names: Sequence[str], max_bytes: int = MOST_BYTES) -> dict[str, Array]:
    """Returns those of the named arrays that an npz file has; pickled ones are refused.

    Raises:
        DataError: the file is missing or damaged, or the arrays take more bytes than may be; none is then read.
    """
    with _opened(path) as file:
        try:
            wanted = [name for name in names if name in file.files]
            check_bytes(sum(_n_bytes(file, name) for name in wanted), max_bytes, path)
            return {name: np.asarray(file[name]) for name in wanted}
        except ERRORS as error:
            raise _damaged(path, error) from error


def shape_of(path: Path, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Returns shape and type of an array in an npz file, without its values; raises DataError where there is none."""
    with _opened(path) as file:
        if name not in file.files:
            raise DataError(f"{path} has no array '{name}'; found: {', '.join(file.files) or 'none'}.")
        try:
            return _header(file, name)
        except ERRORS as error:
            raise _damaged(path, error) from error


def _n_bytes(npz: NpzFile, name: str) -> int:
    shape, dtype = _header(npz, name)
    return math.prod(shape) * int(dtype.itemsize)


def _header(npz: NpzFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Returns what an array says of itself; no more of its header is read than numpy writes."""
    archive = npz.zip
    assert archive is not None, "it is open"
    member = archive.getinfo(f"{name}.npy" if f"{name}.npy" in archive.NameToInfo else name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"'{name}' is compressed in a way that numpy does not write")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        n_header, width = (2, "<H") if version == (1, 0) else (4, "<I")
        start = file.read(n_header)
        (length,) = struct.unpack(width, start)
        if length > MOST_HEADER:
            raise ValueError(f"the header of '{name}' claims {length:,} bytes")
        header = io.BytesIO(start + file.read(length))
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(header)
    if any(n < 0 for n in shape):
        raise ValueError(f"'{name}' has shape {shape}")
    return tuple(map(int, shape)), dtype


def names_of(path: Path) -> list[str]:
    """Returns the names of the arrays in an npz file."""
    with _opened(path) as file:
        return sorted(file.files)


def _opened(path: Path) -> NpzFile:
    if not path.is_file():
        raise DataError(f"{path} was asked for, but there is no such file. Check the path.")
    try:
        file = np.load(path, allow_pickle=False)
    except ERRORS as error:
        raise _damaged(path, error) from error
    if not isinstance(file, NpzFile):
        raise DataError(f"{path} holds one array, not an npz archive. Save it with numpy.savez(path, x=…).")
    return file


def _path_of(config: NpzConfig) -> Path:
    path = config.path if known_split(config.split) == "train" else config.test_path
    if not path:
        advice = "--data npz:FILE" if config.split == "train" else "--set data.test_path=FILE"
        raise DataError(f"The {config.split} part of data set 'npz' was asked for, but has no file. Write {advice}.")
    return Path(path).expanduser()


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is not a readable npz file: {error}. Save it again with numpy.savez, without objects.")

"""Arrays in npz files."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from ebmkit.data.arrays import ArrayData, known_split
from ebmkit.data.declarations import NpzConfig
from ebmkit.data.raw import Array, Raw, array_data, channels_first
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext

ERRORS = (OSError, EOFError, MemoryError, RuntimeError, SyntaxError, ValueError, zipfile.BadZipFile, zlib.error)
"""What numpy and zipfile raise on damaged, encrypted or pickled files."""


def build_npz(config: NpzConfig, context: BuildContext) -> ArrayData:
    """Returns the set of an npz file: uint8 values are dequantised, float values are taken as they are.

    [N, H, W] and [N, H, W, C] arrays become [N, C, H, W]. The value range of floats is (0, 1) where all of them lie
    within it, else None.

    Raises:
        DataError: no path, no such file, a damaged file, or arrays that cannot be data.
    """
    path = _path_of(config)
    x, y = read_arrays(path)
    raw = Raw(origin=str(path), x=channels_first(x), y=y, n_classes=config.n_classes)
    return array_data(raw, config, context, build_npz)


def read_arrays(path: Path) -> tuple[Array, Array | None]:
    """Returns x and, where there is one, y of an npz file; raises DataError where it has no x or is damaged."""
    arrays = read_npz(path, ("x", "y"))
    if "x" not in arrays:
        raise DataError(f"{path} has no array 'x'; found: {', '.join(names_of(path)) or 'none'}. Save it with x=….")
    return arrays["x"], arrays.get("y")


def read_npz(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """Returns those of the named arrays that an npz file has; pickled ones are refused.

    Raises:
        DataError: the file is missing or damaged.
    """
    with _opened(path) as file:
        try:
            return {name: np.asarray(file[name]) for name in names if name in file.files}
        except ERRORS as error:
            raise _damaged(path, error) from error


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

"""Reads the one kind of pickle that a data set needs, CIFAR's batches, without running what a pickle asks to run."""

from __future__ import annotations

import io
import math
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmkit.data.raw import Array
from ebmkit.errors import DataError

ERRORS = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What Python's unpickler raises on damaged input, by its documentation and by experiment."""


class _Dtype:
    """Stands for `numpy.dtype`: remembers its code. A pickle may make one without calling `__init__`."""

    code: Any = ""

    def __init__(self, code: Any = b"", *_: Any) -> None:
        self.code = code.decode("latin-1") if isinstance(code, bytes) else code

    def __setstate__(self, state: Any) -> None:
        """The byte order and layout do not matter to bytes, the only type accepted."""


class _Bytes:
    """Stands for a pickled `numpy.ndarray`: remembers its shape, type and bytes."""

    state: tuple[Any, ...] = ()

    def __init__(self, *_: Any) -> None:
        """What numpy passes here says nothing: it comes again in the state."""

    def __setstate__(self, state: Any) -> None:
        self.state = tuple(state)


ALLOWED: dict[tuple[str, str], type] = {
    ("numpy.core.multiarray", "_reconstruct"): _Bytes,
    ("numpy._core.multiarray", "_reconstruct"): _Bytes,
    ("numpy", "ndarray"): _Bytes,
    ("numpy", "dtype"): _Dtype,
}
"""Every global that a pickle may name, and the passive stand-in it gets: not even numpy's own code is called."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CifarBatch:
    """One file of CIFAR: data [N, 3072] uint8 and labels [N] int64."""

    data: Array
    labels: Array


UNKNOWN = (pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER, pickle.PERSID, pickle.BINPERSID,
           pickle.EXT1, pickle.EXT2, pickle.EXT4)  # fmt: skip
"""Instructions of a pickle that are refused."""

MOST_INSTRUCTIONS = 1_000_000
"""Of one batch; the original ones have 50,000."""


class _Instructions(dict[int, Any]):
    """What each instruction does, counted."""

    def __init__(self, known: Mapping[int, Any]) -> None:
        super().__init__({code: do for code, do in known.items() if bytes([code]) not in UNKNOWN})
        self.left = MOST_INSTRUCTIONS

    def __getitem__(self, code: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise pickle.UnpicklingError(f"it has more than {MOST_INSTRUCTIONS:,} instructions")
        if code not in self:
            raise pickle.UnpicklingError(f"instruction {code:#04x} is not allowed")
        return super().__getitem__(code)


class _BatchUnpickler(pickle._Unpickler):
    """Python's own unpickler in Python: in the C one a damaged memo index can ask for tens of gigabytes.

    It does not know the instructions that CIFAR does not need (one of ten bytes can ask for any number of bytes), and
    follows no more instructions than a batch has: each may make an object.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        vars(self)["dispatch"] = _Instructions(pickle._Unpickler.dispatch)  # of this one pickle

    def find_class(self, module: str, name: str) -> type:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not allowed") from None


def read_cifar_batch(content: bytes, origin: str) -> CifarBatch:
    """Returns images and labels of a pickled CIFAR batch, written by Python 2 or 3.

    Raises:
        DataError: it names a global beyond `ALLOWED` (nothing of it has run then), is damaged, or holds something else.
    """
    try:
        batch = _BatchUnpickler(content).load()
    except ERRORS as error:
        raise _refused(origin, str(error) or type(error).__name__) from error
    if not isinstance(batch, dict):
        raise _refused(origin, f"a dictionary was expected, found {type(batch).__name__}")
    entries = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in batch.items()}
    labels = entries.get("labels")
    if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < 256 for label in labels):
        raise _refused(origin, "'labels' must be a list of class numbers")
    return CifarBatch(data=_array(entries.get("data"), origin), labels=np.array(labels, dtype=np.int64))


def _array(value: Any, origin: str) -> Array:
    if not isinstance(value, _Bytes) or len(value.state) != 5:
        raise _refused(origin, "'data' must be an array")
    _, shape, dtype, is_fortran, content = value.state
    is_image_array = isinstance(shape, tuple) and len(shape) == 2 and all(type(n) is int and n >= 0 for n in shape)
    if not is_image_array or not isinstance(dtype, _Dtype) or dtype.code not in ("u1", "|u1"):
        raise _refused(origin, "'data' must be a two-axis array of bytes")
    if is_fortran or not isinstance(content, bytes) or len(content) != math.prod(shape):
        raise _refused(origin, f"'data' does not hold the {math.prod(shape)} bytes that its shape says")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _refused(origin: str, found: str) -> DataError:
    return DataError(f"{origin} is not a CIFAR batch: {found}. Fetch the original archive again.")

"""Shards that are npz files: x [N, ...], uint8 or float, and perhaps labels y [N]."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ebmkit.data.npz import read_arrays, shape_of
from ebmkit.data.raw import Array, channels_first
from ebmkit.data.shards_config import ShardsConfig
from ebmkit.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class NpzShard:
    """An npz file whose header was read; see `ebmkit.data.shards.Shard`."""

    path: Path
    n_rows: int
    event_shape: tuple[int, ...]
    row_bytes: int
    max_bytes: int

    def read(self) -> tuple[Array, Array | None, dict[int, str]]:
        """Returns x, labels, and nothing that is wrong; raises DataError where the file is damaged or was changed."""
        x, y = read_arrays(self.path, self.max_bytes)
        x = channels_first(x)
        if len(x) != self.n_rows or (y is not None and y.shape != (len(x),)):
            raise DataError(f"{self.path}: {self.n_rows} rows and as many labels were expected. Was it changed?")
        if x.dtype != np.uint8:
            with np.errstate(over="ignore"):
                x = x.astype(np.float32)
        return x, None if y is None else y.astype(np.int64), {}


def npz_shard(path: Path, config: ShardsConfig) -> NpzShard:
    """Returns a shard by its header; raises DataError where it has no x, or another than uint8 or float."""
    shape, dtype = shape_of(path, "x")
    if dtype != np.uint8 and dtype.kind != "f":
        raise DataError(f"{path}: x must be uint8 or float, found {dtype}. Convert it first.")
    if len(shape) < 2:
        raise DataError(f"{path}: x needs a row axis and at least one more, found shape {shape}.")
    event = channels_first(np.broadcast_to(np.zeros((), dtype=np.uint8), (1, *shape[1:]))).shape[1:]
    item = 1 if dtype == np.uint8 else max(4, dtype.itemsize)
    n_bytes = item * int(np.prod(event, dtype=object))
    return NpzShard(path=path, n_rows=shape[0], event_shape=event, row_bytes=n_bytes, max_bytes=config.max_bytes)

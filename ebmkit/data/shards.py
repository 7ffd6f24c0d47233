"""Data beyond memory: shards of which a few are in memory, read ahead by a thread."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from ebmkit.data.arrays import dequantise, known_split
from ebmkit.data.budget import check_bytes
from ebmkit.data.folder import split_folder
from ebmkit.data.hub_config import HfStreamConfig
from ebmkit.data.npz_shards import NpzShard, npz_shard
from ebmkit.data.raw import Array
from ebmkit.data.shards_config import ShardsConfig
from ebmkit.data.tar_shards import TarShard, tar_shard
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, XValues

_log = logging.getLogger("ebmkit.data")

KINDS: dict[str, Callable[[Path, ShardsConfig], NpzShard | TarShard]] = {".npz": npz_shard, ".tar": tar_shard}
"""Ending → what reads the index of a shard."""

TOLD = 5
"""Damaged data that are named as they are found; more are only counted."""


class Shard(Protocol):
    """A file of rows whose number, shape and bytes are known before they are read."""

    @property
    def path(self) -> Path: ...  # noqa: D102
    @property
    def n_rows(self) -> int: ...  # noqa: D102
    @property
    def event_shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def row_bytes(self) -> int: ...  # noqa: D102

    def read(self) -> tuple[Array, Array | None, dict[int, str]]:
        """Returns x [n_rows, *event], labels and, by row, what is wrong with rows that could not be decoded."""
        ...


@dataclass(kw_only=True, slots=True, eq=False)
class ShardData:
    """A `Dataset` of rows in shards; uint8 values are dequantised with the noise of each batch.

    Attributes:
        shards: in the order of their names; row numbers go through them in this order.
        config: how they are read.
        device: where batches lie.
        event_shape: shape of one datum.
        value_range: (0, 1) for bytes and values said to lie in it, else None.
        n_classes: number of label values, 0 where they are left out.
        open_split: gives the part of a name.
        x_values: "real".
        class_names: their names, perhaps none.
        shard_sizes: rows of each.
        mixed: shards whose rows are shuffled together.
        damaged: name of a datum that could not be decoded → why.
    """

    shards: tuple[Shard, ...]
    config: ShardsConfig | HfStreamConfig
    device: torch.device | str
    event_shape: tuple[int, ...]
    value_range: tuple[float, float] | None
    n_classes: int
    open_split: Callable[[str], ShardData]
    x_values: XValues = "real"
    class_names: tuple[str, ...] = ()
    shard_sizes: tuple[int, ...] = field(init=False)
    mixed: int = field(init=False)
    damaged: dict[str, str] = field(default_factory=dict)
    _firsts: Tensor = field(init=False)
    _read: dict[int, Future[tuple[Array, Array | None]]] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "shards"))
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.shard_sizes = tuple(shard.n_rows for shard in self.shards)
        self.mixed = min(self.config.mixed, len(self.shards))
        self._firsts = torch.tensor([0, *accumulate(self.shard_sizes)])

    def __len__(self) -> int:
        return int(self._firsts[-1])

    @property
    def files(self) -> tuple[Path, ...]:
        """The shards; none of a set of the hub, whose shards have no path of their own."""
        return () if isinstance(self.config, HfStreamConfig) else tuple(shard.path for shard in self.shards)

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        """Returns the data of these rows [B] in float32, with labels where there are any; reads the shards they lie in.

        Raises:
            DataError: a shard cannot be read, or more data are damaged than may be.
        """
        rows = rows.cpu()
        of_shard = torch.bucketize(rows, self._firsts[1:], right=True)
        x, y = self._values(rows, of_shard)
        x = x.to(self.device)
        if x.dtype == torch.uint8:
            x = dequantise(x, torch.rand(x.shape, generator=rng, device=rng.device).to(x.device))
        return Batch(x=x, y=y.to(self.device) if self.n_classes else None)

    def expect(self, shards: Sequence[int]) -> None:
        """Begins to read shards that will be wanted; returns at once."""
        for shard in shards:
            self._wanted(shard)

    def split(self, name: str) -> ShardData:
        """Returns the "train" or "test" part; raises DataError where there is none."""
        return self if known_split(name) == self.config.split else self.open_split(name)

    def _values(self, rows: Tensor, of_shard: Tensor) -> tuple[Tensor, Tensor]:
        x, y = None, torch.zeros(len(rows), dtype=torch.int64)
        for shard in sorted(set(of_shard.tolist())):
            held, labels = self._wanted(shard).result()
            places = (of_shard == shard).nonzero()[:, 0]
            inner = (rows[places] - self._firsts[shard]).numpy()
            if x is None:
                x = torch.empty(len(rows), *self.event_shape, dtype=torch.from_numpy(held[:0]).dtype)
            x[places] = torch.from_numpy(held[inner])
            if labels is not None:
                y[places] = torch.from_numpy(labels[inner])
        assert x is not None, "a batch has rows"
        return x, y

    def _wanted(self, shard: int) -> Future[tuple[Array, Array | None]]:
        """Returns a shard that is read, or being read; of others, the ones that were wanted last are kept."""
        with self._lock:
            found = self._read.pop(shard, None) or self._pool.submit(self._checked, shard)
            self._read[shard] = found
            while len(self._read) > 2 * self.mixed:
                self._read.pop(next(iter(self._read)))
            return found

    def _checked(self, index: int) -> tuple[Array, Array | None]:
        shard = self.shards[index]
        x, y, wrong = shard.read()
        if x.shape[1:] != self.event_shape:
            raise DataError(f"{shard.path} holds data of shape {x.shape[1:]}, the first shard {self.event_shape}.")
        wrong = _wrong_values(x, y, self.n_classes, self.value_range) | wrong
        for row, why in sorted(wrong.items()):
            self._note(f"{shard.path}, datum {row}", why)
        good = np.array([row for row in range(len(x)) if row not in wrong])
        if wrong and not len(good):
            raise DataError(f"{shard.path}: none of its {len(x)} data can be read. Remove or replace the shard.")
        for row in wrong:
            other = good[np.searchsorted(good, row) % len(good)]
            x[row] = x[other]
            if y is not None:
                y[row] = y[other]
        return x, y

    def _note(self, name: str, why: str) -> None:
        if name in self.damaged:
            return
        self.damaged[name] = why
        if len(self.damaged) > self.config.max_errors:
            raise DataError(
                f"{len(self.damaged)} data cannot be used, and data.max_errors allows {self.config.max_errors}; the "
                f"last is {name}: {why}. Repair the shards, or raise data.max_errors."
            )
        if len(self.damaged) <= TOLD:
            _log.warning("%s cannot be used: %s. The next of its shard stands in.", name, why)


def build_shards(config: ShardsConfig, context: BuildContext) -> ShardData:
    """Returns the set of the shards of a folder; of each, no more than its index is read.

    Raises:
        DataError: there are none, they differ, or `mixed` of them twice do not fit into `max_bytes`.
    """
    folder = split_folder(config, "shards", "shards")
    paths = sorted(p for p in folder.iterdir() if p.suffix in KINDS and p.is_file() and not p.name.startswith("."))
    if not paths:
        raise DataError(f"{folder} holds no shards. Looked for files that end in {' or '.join(KINDS)}.")
    if len({path.suffix for path in paths}) > 1:
        raise DataError(f"{folder} holds shards of several kinds. Keep npz files and tar files apart.")
    shards: tuple[Shard, ...] = tuple(shard for path in paths if (shard := KINDS[path.suffix](path, config)).n_rows)
    if not shards:
        raise DataError(f"{folder} holds no data: every one of its {len(paths)} shards is empty.")
    for other in shards:
        if other.event_shape != shards[0].event_shape:
            shape = shards[0].event_shape
            raise DataError(f"{other.path} holds data of shape {other.event_shape}, {shards[0].path} {shape}.")
    is_bounded = config.in_unit_range or shards[0].row_bytes == math.prod(shards[0].event_shape)
    return shard_data(
        shards, config, context, str(folder), value_range=(0.0, 1.0) if is_bounded else None,
        n_classes=config.n_classes,
        open_split=lambda name: build_shards(replace(config, split=known_split(name)), context),
    )  # fmt: skip


def shard_data(
    shards: tuple[Shard, ...],
    config: ShardsConfig | HfStreamConfig,
    context: BuildContext,
    origin: str,
    *,
    value_range: tuple[float, float] | None,
    n_classes: int,
    open_split: Callable[[str], ShardData],
    class_names: tuple[str, ...] = (),
) -> ShardData:
    """Returns the set of shards of one event shape, none of them empty.

    Raises:
        DataError: `mixed` of them twice do not fit into `max_bytes`.
    """
    _check_fits(shards, config, origin)
    return ShardData(
        shards=shards, config=config, device=context.device, event_shape=shards[0].event_shape,
        value_range=value_range, n_classes=n_classes, open_split=open_split, class_names=class_names,
    )  # fmt: skip


def _check_fits(shards: Sequence[Shard], config: ShardsConfig | HfStreamConfig, origin: str) -> None:
    n_held = min(2 * config.mixed, len(shards))
    sizes = sorted((shard.n_rows * shard.row_bytes for shard in shards), reverse=True)
    check_bytes(sum(sizes[:n_held]), config.max_bytes, f"{origin}, {n_held} shards (data.mixed={config.mixed}, twice)")


def _wrong_values(x: Array, y: Array | None, n_classes: int, value_range: tuple[float, float] | None) -> dict[int, str]:
    """Returns by row what is wrong with values that were read."""
    wrong = dict[int, str]()
    if x.dtype != np.uint8:
        flat = x.reshape(len(x), -1)
        wrong |= dict.fromkeys(np.flatnonzero(~np.isfinite(flat).all(axis=1)).tolist(), "NaN or infinite values")
        if value_range is not None:
            outside = ((flat < value_range[0]) | (flat > value_range[1])).any(axis=1)
            wrong |= dict.fromkeys(np.flatnonzero(outside).tolist(), "values outside of [0, 1]")
    if n_classes:
        labels = np.full(len(x), -1) if y is None else y
        found = np.flatnonzero((labels < 0) | (labels >= n_classes)).tolist()
        wrong |= {row: f"label {labels[row]}, and n_classes is {n_classes}" for row in found}
    return wrong

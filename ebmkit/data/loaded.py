"""Torch data sets and loaders as data of a run."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, default_collate

from ebmkit.data.arrays import dequantise
from ebmkit.data.range import Range, check_range, range_of
from ebmkit.errors import CheckpointError, DataError
from ebmkit.point import Batch, XValues
from ebmkit.rng import seeded

D = TypeVar("D")
N_UNKNOWN = 100_000
"""Rows that a stream of unknown length counts as."""


class RowData:
    """A torch data set with rows, x or (x, y): a batch reads its rows, as a function of the random stream alone.

    Attributes:
        event_shape: of the first row.
        value_range: as given, else (0, 1) where the first rows lie in it.
        x_values: "real".
        n_classes: number of `classes`, where the set names them, else 0.
        class_names: those.
    """

    x_values: XValues = "real"

    def __init__(self, rows: Any, *, device: torch.device | str, value_range: Range = None) -> None:
        if len(rows) == 0:
            raise DataError("The data set has no rows.")
        self.rows, self.device = rows, device
        self.class_names = tuple(map(str, getattr(rows, "classes", ())))
        self.n_classes = len(self.class_names)
        first = as_batch(self._read(range(min(len(rows), 64)), seed=0))
        self.event_shape = tuple(first.x.shape[1:])
        self.value_range = _range_of(first.x, value_range)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        """Returns the data of these rows [B] in float32, with labels where the set names classes."""
        read = self._read(rows.tolist(), _seed(rng))
        return _finished(as_batch(read), rng, self.device, labelled=self.n_classes > 0)

    def split(self, name: str) -> RowData:
        """Returns the set itself as "train"; raises DataError for another part."""
        return _only_train(self, name)

    def _read(self, rows: Any, seed: int) -> Any:
        with _all_seeded(seed):  # random transforms of the set draw from the global streams
            read = [_row(self.rows[int(row)]) for row in rows]
        return _collated(read)


class LoaderData:
    """A `DataLoader`, gone through as it is, again and again.

    Its order and its random transforms are a function of the seed of the run where it loads in this process. Where a
    run goes on after a stop, the loader is asked once more for what it gave since its epoch began.

    Attributes:
        event_shape: of its first batch.
        value_range: as given, else (0, 1) where the first batch lies in it.
        x_values: "real".
        n_classes: number of `classes` of its data set, where that names them, else 0.
        class_names: those.
        batch_size: of the loader.
    """

    x_values: XValues = "real"

    def __init__(self, loader: DataLoader[Any], *, device: torch.device | str, value_range: Range = None) -> None:
        self.loader, self.device = loader, device
        self.class_names = tuple(map(str, getattr(loader.dataset, "classes", ())))
        self.n_classes = len(self.class_names)
        self._batches: Iterator[Any] = iter(())
        self._left: Batch | None = None
        self._seeds: list[int] = []
        first = as_batch(self._next(seed=0))
        self._batches, self._seeds = iter(()), []
        self.batch_size = loader.batch_size or len(first)
        self.event_shape = tuple(first.x.shape[1:])
        self.value_range = _range_of(first.x, value_range)

    def __len__(self) -> int:
        return len(self.loader.dataset) if isinstance(self.loader.dataset, Sized) else N_UNKNOWN

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        """Returns the next data, as many as there are rows."""
        parts = [] if self._left is None else [self._left]
        while sum(map(len, parts)) < len(rows):
            parts.append(as_batch(self._next(_seed(rng))))
        joined = _joined(parts)
        self._left = _rows(joined, slice(len(rows), None)) if len(joined) > len(rows) else None
        return _finished(_rows(joined, slice(len(rows))), rng, self.device, labelled=self.n_classes > 0)

    def split(self, name: str) -> LoaderData:
        """Returns the set itself as "train"; raises DataError for another part."""
        return _only_train(self, name)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the seeds under which batches were read since the epoch began, and the rows of the last not given."""
        left = 0 if self._left is None else len(self._left)
        return {"seeds": torch.tensor(self._seeds, dtype=torch.int64), "left": torch.tensor(left)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Reads again what was read; raises CheckpointError where the loader does not give as much as it did."""
        if state.keys() != {"seeds", "left"}:
            raise CheckpointError("The checkpoint holds no place of a DataLoader: its data were others.")
        seeds, left = state["seeds"].tolist(), int(state["left"])
        self._batches, self._seeds, self._left = iter(()), [], None
        last: Batch | None = None
        for seed in seeds:
            last = as_batch(self._next(seed))
        if len(self._seeds) != len(seeds) or left > (0 if last is None else len(last)):
            raise CheckpointError(
                f"The DataLoader gave {len(seeds)} batches since its epoch began, and ends before that now: its data "
                "are others, or fewer."
            )
        self._left = _rows(last, slice(len(last) - left, None)) if last is not None and left else None

    def _next(self, seed: int) -> Any:
        with _all_seeded(seed):  # loaders and random transforms draw from the global streams
            for _ in range(2):
                for batch in self._batches:
                    self._seeds.append(seed)
                    return batch
                self._batches, self._seeds = iter(self.loader), []
        raise DataError("The DataLoader gives no batches: its data set is empty, or smaller than a batch.")


def as_batch(read: Any) -> Batch:
    """Returns what a data set or loader gave, x or (x, y), as a batch; labels are whole numbers [B], else left out.

    Raises:
        DataError: it is something else.
    """
    if isinstance(read, Batch):
        return read
    x, *rest = read if isinstance(read, (tuple, list)) else (read,)
    if not isinstance(x, Tensor) or len(rest) > 1 or x.ndim < 2:
        found = f"a tensor of shape {list(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise DataError(
            f"A batch is x [B, …] or (x, y), found {found}{f' and {len(rest)} more' if rest else ''}. Convert it in "
            "the data set: images with ToTensor, tables with torch.as_tensor."
        )
    y = rest[0] if rest else None
    is_label = isinstance(y, Tensor) and not y.is_floating_point() and y.shape == x.shape[:1]
    return Batch(x=x, y=y.long() if is_label else None)  # type: ignore[union-attr]


@contextmanager
def _all_seeded(seed: int) -> Iterator[None]:
    """Seeds the global streams of torch, numpy and Python, from which transforms draw, and puts them back."""
    python, arrays = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        with seeded(seed):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)


def _row(row: Any) -> Any:
    x, *rest = row if isinstance(row, (tuple, list)) else (row,)
    if not isinstance(x, Tensor):
        try:
            x = torch.as_tensor(x)
        except (TypeError, ValueError, RuntimeError) as error:
            raise DataError(
                f"A row of the data set is {type(x).__name__}, which is no tensor: {error}. Convert it in the data set."
            ) from error
    return (x, *rest) if rest else x


def _collated(rows: list[Any]) -> Any:
    """Returns rows as one batch; a label None counts as none."""
    try:
        return default_collate([row[:1] if isinstance(row, tuple) and row[1:] == (None,) else row for row in rows])
    except (TypeError, ValueError, RuntimeError) as error:
        said = str(error).splitlines()[0]
        raise DataError(
            f"Rows of the data set cannot be put into one batch: {said}. Give every row the same shape, and as its "
            "label a whole number."
        ) from error


def _finished(batch: Batch, rng: Generator, device: torch.device | str, *, labelled: bool) -> Batch:
    x = batch.x.to(device)
    if x.dtype == torch.uint8:
        x = dequantise(x, torch.rand(x.shape, generator=rng, device=rng.device).to(x.device))
    return Batch(x=x.float(), y=batch.y.to(device) if labelled and batch.y is not None else None)


def _joined(parts: list[Batch]) -> Batch:
    y = [part.y for part in parts if part.y is not None]
    return Batch(x=torch.cat([part.x for part in parts]), y=torch.cat(y) if len(y) == len(parts) else None)


def _rows(batch: Batch, rows: slice) -> Batch:
    return Batch(x=batch.x[rows], y=None if batch.y is None else batch.y[rows])


def _range_of(x: Tensor, asked: Range) -> Range:
    is_image = x.ndim == 4 or x.dtype == torch.uint8
    found = (range_of(x) if is_image else None) if asked is None else asked  # a few vectors tell nothing of the rest
    check_range(x, found)
    return found


def _seed(rng: Generator) -> int:
    return int(torch.randint(2**62, (1,), generator=rng, device=rng.device))


def _only_train(data: D, name: str) -> D:
    if name != "train":
        raise DataError(f"The {name} part of the data was asked for, and one part was handed over.")
    return data

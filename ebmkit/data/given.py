"""Data that a Python program hands over: a tensor, a torch data set, a loader."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from ebmkit.data.arrays import ArrayData
from ebmkit.data.loaded import LoaderData, RowData
from ebmkit.data.range import Range, check_range, range_of
from ebmkit.data.raw import Raw, checked_labels, checked_values
from ebmkit.errors import DataError
from ebmkit.protocols.dataset import Dataset


def given_data(x: Any, *, device: torch.device | str, value_range: Range = None) -> Dataset:
    """Returns what a program handed over as a data set.

    Args:
        x: a tensor or array [N, *event]; a pair (x, y) with labels [N]; a torch `Dataset` of x or (x, y); a
            `DataLoader`, which is gone through again and again as it is; or a data set of ebmkit.
        device: where batches are to lie.
        value_range: (lowest, highest) value of x; unset, (0, 1) for uint8 values and for floats that all lie in it,
            else x is unbounded.

    Raises:
        DataError: there are no data in it, or values that cannot be data.
    """
    if isinstance(x, Dataset):
        return x
    if isinstance(x, DataLoader):
        return LoaderData(x, device=device, value_range=value_range)
    if isinstance(x, (Tensor, np.ndarray)):
        return _arrays(x, None, device, value_range)
    if isinstance(x, (tuple, list)) and len(x) == 2 and all(isinstance(part, (Tensor, np.ndarray)) for part in x):
        return _arrays(x[0], x[1], device, value_range)
    if isinstance(x, IterableDataset):
        raise DataError("An IterableDataset has no rows: hand it over in a DataLoader with a batch_size.")
    if isinstance(x, Sized) and hasattr(x, "__getitem__") and not isinstance(x, (str, bytes, dict, list, tuple)):
        return RowData(x, device=device, value_range=value_range)
    raise DataError(
        f"Data were given as {type(x).__name__}. Give a tensor [N, …], a pair (x, labels), a torch Dataset or "
        "DataLoader, a data set such as ebmkit.data.Npz(path=…), or the name of one."
    )


def _arrays(
    x: Tensor | np.ndarray, y: Tensor | np.ndarray | None, device: torch.device | str, value_range: Range
) -> ArrayData:
    raw = Raw(origin="The data", x=_as_numpy(x), y=None if y is None else _as_numpy(y))
    values = checked_values(raw)
    labels, n_classes = checked_labels(raw)
    found = range_of(torch.from_numpy(values)) if value_range is None else value_range
    check_range(torch.from_numpy(values), found)
    return ArrayData(
        x=torch.tensor(values, device=device),
        y=None if labels is None else torch.tensor(labels, device=device),
        value_range=found,
        n_classes=n_classes,
        class_names=(),
        split_name="train",
        open_split=_no_other,
    )


def _as_numpy(values: Tensor | np.ndarray) -> np.ndarray:
    if not isinstance(values, Tensor):
        return np.asarray(values)
    values = values.detach().cpu()
    if values.layout != torch.strided:
        raise DataError("The data are a sparse tensor: give x.to_dense().")
    return (values.float() if values.is_floating_point() else values).numpy()


def _no_other(split: str) -> Dataset:
    raise DataError(f"The {split} part of the data was asked for, and one part was handed over: split them yourself.")

"""Arrays as they were read, the checks they must pass, and the data set they become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray

from ebmkit.data.arrays import ArrayData
from ebmkit.data.declarations import FashionMiniConfig, FolderConfig, NpzConfig
from ebmkit.data.files_config import FilesConfig
from ebmkit.data.hub_config import HfConfig
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext

Array = NDArray[Any]
Read = TypeVar("Read", FashionMiniConfig, FilesConfig, NpzConfig, FolderConfig, HfConfig)


@dataclass(frozen=True, kw_only=True, slots=True)
class Raw:
    """Arrays as a file holds them, not yet checked.

    Attributes:
        origin: where they come from, for messages.
        x: [N, *event] values.
        y: [N] labels, or None.
        n_classes: number of label values; 0 for the largest label plus one.
        class_names: names of the labels, perhaps empty.
        files: that they were read from.
    """

    origin: str
    x: Array
    y: Array | None = None
    n_classes: int = 0
    class_names: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


def array_data(
    raw: Raw, config: Read, context: BuildContext, build: Callable[[Read, BuildContext], ArrayData]
) -> ArrayData:
    """Returns the first `config.limit` rows (0: all) of checked arrays as a data set on the device of the context.

    The builder itself, with another `config.split`, gives the other part.

    Raises:
        DataError: no rows, values or labels that cannot be data.
    """
    x = checked_values(raw)
    y, n_classes = checked_labels(raw)
    n = config.limit or len(x)
    is_bounded = x.dtype == np.uint8 or bool(x.min() >= 0 and x.max() <= 1)
    return ArrayData(
        x=torch.tensor(x[:n], device=context.device),
        y=None if y is None else torch.tensor(y[:n], device=context.device),
        value_range=(0.0, 1.0) if is_bounded else None,
        n_classes=n_classes,
        class_names=raw.class_names,
        split_name=config.split,
        open_split=lambda name: build(replace(config, split=name), context),
        files=raw.files,
    )


def checked_values(raw: Raw) -> Array:
    """Returns x as uint8 or float32; raises DataError where it is empty, of another kind, or not finite."""
    x = raw.x
    if x.ndim < 2:
        raise DataError(f"{raw.origin}: x needs a row axis and at least one more, found shape {x.shape}.{_column(x)}")
    if x.size == 0:
        raise DataError(f"{raw.origin} holds no data: x has shape {x.shape}. Give a set with at least one row.")
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind != "f":
        raise DataError(f"{raw.origin}: x must be uint8 or float, found {x.dtype}. Convert it first.")
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    finite = np.isfinite(x)
    if not finite.all():
        bad = np.flatnonzero(~finite.reshape(len(x), -1).all(axis=1))
        raise DataError(
            f"{raw.origin}: x must be finite in float32, but {len(bad)} of {len(x)} rows hold NaN or infinite values, "
            f"the first of them row {bad[0]}. Remove or repair these rows."
        )
    return x


def _column(x: Array) -> str:
    return " Of single numbers: x[:, None]." if x.ndim == 1 else ""


def checked_labels(raw: Raw) -> tuple[Array | None, int]:
    """Returns y as int64 [N] and the number of classes; raises DataError where y does not fit x or the classes."""
    if raw.y is None:
        return None, 0
    y = raw.y.reshape(-1) if raw.y.ndim == 2 and raw.y.shape[1] == 1 else raw.y
    if y.dtype.kind not in "iu":
        raise DataError(f"{raw.origin}: y must hold whole numbers, found {y.dtype}. Convert it, or leave it out.")
    if y.shape != raw.x.shape[:1]:
        raise DataError(
            f"{raw.origin}: one label a row is needed; there are {len(raw.x)} rows, but y has shape {raw.y.shape}."
        )
    n_classes = raw.n_classes or int(y.max()) + 1
    if y.min() < 0 or y.max() >= n_classes:
        raise DataError(
            f"{raw.origin}: labels must lie in 0 to {n_classes - 1}, found {y.min()} to {y.max()}. "
            "Number the classes from 0, or correct n_classes."
        )
    return y.astype(np.int64), n_classes


def channels_first(x: Array) -> Array:
    """Returns images as [N, C, H, W] from that, [N, H, W, C] or [N, H, W]; other arrays as they are.

    A four-axis array counts as channels-last where its last axis is 1 or 3 and its second is not.

    >>> channels_first(np.zeros((5, 8, 9, 3))).shape, channels_first(np.zeros((5, 8, 9))).shape
    ((5, 3, 8, 9), (5, 1, 8, 9))
    """
    if x.ndim == 3:
        return x[:, None]
    if x.ndim == 4 and x.shape[-1] in (1, 3) and x.shape[1] not in (1, 3):
        return np.ascontiguousarray(rearrange(x, "n h w c -> n c h w"))
    return x

"""Settings of the published data sets whose files the user has. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Interval

from ebmkit.plugins.short_repr import short_repr

Split = Literal["train", "test"]
Count = Annotated[int, Ge(0)]
Bytes = Annotated[int, Interval(gt=0, lt=2**63)]
MOST_BYTES = 2**30
"""That the values of a data set may take in memory where nothing else was set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilesConfig:
    """Settings of a published set whose files the user has: `mnist`, `fashion-mnist`, `cifar10`.

    Attributes:
        root: folder of the files; empty: $EBMKIT_DATA/NAME, $EBMKIT_DATA and ./data/NAME are searched.
        split: the published training or test part.
        limit: only the first so many rows of either part; 0 for all.
        max_bytes: that the values may take in memory; a set that takes more is refused.
    """

    root: str = ""
    split: Split = "train"
    limit: Count = 0
    max_bytes: Bytes = MOST_BYTES


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class MnistConfig(FilesConfig):
    """Settings of `mnist`.

    Attributes:
        root: folder of the files; empty: $EBMKIT_DATA/mnist, $EBMKIT_DATA and ./data/mnist are searched.
        split: the published training or test part.
        limit: only the first so many rows of either part; 0 for all.
        max_bytes: that the values may take in memory; a set that takes more is refused.
    """


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class FashionMnistConfig(FilesConfig):
    """Settings of `fashion-mnist`.

    Attributes:
        root: folder of the files; empty: $EBMKIT_DATA/fashion-mnist, $EBMKIT_DATA and ./data/fashion-mnist are
            searched.
        split: the published training or test part.
        limit: only the first so many rows of either part; 0 for all.
        max_bytes: that the values may take in memory; a set that takes more is refused.
    """


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class Cifar10Config(FilesConfig):
    """Settings of `cifar10`.

    Attributes:
        root: folder of the files; empty: $EBMKIT_DATA/cifar10, $EBMKIT_DATA and ./data/cifar10 are searched.
        split: the published training or test part.
        limit: only the first so many rows of either part; 0 for all.
        max_bytes: that the values may take in memory; a set that takes more is refused.
    """

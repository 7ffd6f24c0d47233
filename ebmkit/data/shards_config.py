"""Declaration of the data set of shards and its settings. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt

from ebmkit.data.files_config import MOST_BYTES, Bytes, Count, Split
from ebmkit.plugins.component import Component
from ebmkit.plugins.short_repr import short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ShardsConfig:
    """Settings of `shards`.

    Attributes:
        path: folder of the shards: npz files with x and perhaps y, or tar files of pictures as WebDataset writes them.
            Where its only sub-folders are `train` and `test`, each of these is such a folder.
        mixed: shards whose rows are shuffled together. Twice as many are held in memory.
        n_classes: number of label values; 0 leaves labels out.
        size: of tar shards: height and width that every picture must have, pixels; 0 for those of the first.
        channels: of tar shards: 1 (grey) or 3 (RGB); 0 for those of the first picture.
        resize: of tar shards: stretch pictures of another size (bicubic) instead of refusing them.
        in_unit_range: of float values: all of them lie in [0, 1]; where one does not, the run stops.
        max_errors: data that may be damaged; each is named and replaced by the next of its shard.
        split: "test" needs a `test` sub-folder.
        max_bytes: that the shards in memory may take.
    """

    path: str = ""
    mixed: Annotated[int, Gt(0)] = 4
    n_classes: Count = 0
    size: Count = 0
    channels: Literal[0, 1, 3] = 0
    resize: bool = False
    in_unit_range: bool = False
    max_errors: Count = 100
    split: Split = "train"
    max_bytes: Bytes = MOST_BYTES


SHARDS = Component(
    kind="dataset",
    name="shards",
    config=ShardsConfig,
    build="ebmkit.data.shards:build_shards",
    summary="data beyond memory: npz files, or tar files of pictures (WebDataset), a few of them read at a time",
)

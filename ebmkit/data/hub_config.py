"""Settings of the sets of the Hugging Face hub, and the declaration of those that are streamed. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt

from ebmkit.data.files_config import MOST_BYTES, Bytes, Count, Split
from ebmkit.plugins.component import Component
from ebmkit.plugins.short_repr import short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class HfConfig:
    """Settings of `hf`.

    Attributes:
        name: of the data set, as `datasets.load_dataset` takes it.
        subset: its configuration, where it has several.
        split: its split of that name.
        limit: only the first so many rows of either split; 0 for all.
        image_column: column of the images.
        label_column: column of the class labels; empty for none.
        size: height and width that every image must have, pixels; 0 for those of the first image.
        channels: 1 (grey) or 3 (RGB); 0 for those of the first image.
        resize: stretch images of another size (bicubic) instead of refusing them.
        max_bytes: that the values may take in memory; a set that takes more is refused.
    """

    name: str = ""
    subset: str = ""
    split: Split = "train"
    limit: Count = 0
    image_column: str = "image"
    label_column: str = "label"
    size: Count = 0
    channels: Literal[0, 1, 3] = 0
    resize: bool = False
    max_bytes: Bytes = MOST_BYTES


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class HfStreamConfig:
    """Settings of `hf-stream`.

    Attributes:
        name: of the data set, as `datasets.load_dataset` takes it: of the hub, or a folder of parquet or arrow files.
        subset: its configuration, where it has several.
        split: its split of that name.
        image_column: column of the images.
        label_column: column of the class labels; empty for none.
        mixed: files whose rows are shuffled together. Twice as many are held in memory.
        n_classes: number of label values, where the set does not name them; 0 leaves labels out then.
        size: height and width that every image must have, pixels; 0 for those of the first image.
        channels: 1 (grey) or 3 (RGB); 0 for those of the first image.
        resize: stretch images of another size (bicubic) instead of refusing them.
        max_errors: data that may be damaged; each is named and replaced by the next of its file.
        max_bytes: that the images in memory may take.
    """

    name: str = ""
    subset: str = ""
    split: Split = "train"
    image_column: str = "image"
    label_column: str = "label"
    mixed: Annotated[int, Gt(0)] = 2
    n_classes: Count = 0
    size: Count = 0
    channels: Literal[0, 1, 3] = 0
    resize: bool = False
    max_errors: Count = 100
    max_bytes: Bytes = MOST_BYTES


HF_STREAM = Component(
    kind="dataset",
    name="hf-stream",
    config=HfStreamConfig,
    build="ebmkit.data.hub_stream:build_hf_stream",
    summary="an image set of the Hugging Face hub that is read while training, a few files at a time (needs "
    "ebmkit-core[hf])",
)

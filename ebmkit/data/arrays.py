"""A data set held in memory, and uniform dequantisation of its 8-bit values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Generator, Tensor

from ebmkit.data.files_config import Split
from ebmkit.errors import DataError
from ebmkit.point import Batch, XValues
from ebmkit.protocols.dataset import Dataset

SPLITS: tuple[Split, ...] = ("train", "test")
NOISE_STEPS = 2.0**16


def dequantise(levels: Tensor, noise: Tensor) -> Tensor:
    """Returns (u + U) / 256, a value in [0, 1) for each 8-bit value: the density of u then has a meaning.

    `quantise` gives back the levels exactly. The noise is first rounded down to multiples of 2⁻¹⁶: 255 + U has no more
    bits in float32, and would else be rounded up to 256, the next level, for U near 1.

    Args:
        levels: [B, *event] uint8.
        noise: [B, *event] uniform in [0, 1).

    Returns:
        [B, *event] float32.

    Source: Theis, van den Oord, Bethge (2016), A note on the evaluation of generative models, section 3.1.

    >>> dequantise(torch.tensor([0, 128, 255], dtype=torch.uint8), torch.tensor([0.0, 0.5, 0.5]))
    tensor([0.0000, 0.5020, 0.9980])
    """
    return (levels.float() + torch.floor(noise.float() * NOISE_STEPS) / NOISE_STEPS) / 256.0


def quantise(x: Tensor) -> Tensor:
    """Returns floor(256 x), clamped to the levels 0 to 255, as uint8: the inverse of `dequantise`.

    >>> quantise(torch.tensor([-0.1, 0.0, 0.5, 1.0]))
    tensor([  0,   0, 128, 255], dtype=torch.uint8)
    """
    return torch.floor(256.0 * x).clamp(0.0, 255.0).to(torch.uint8)


@dataclass(kw_only=True, slots=True, eq=False)
class ArrayData:
    """A `Dataset` whose values lie in one tensor; uint8 values are dequantised with the noise of each batch.

    Attributes:
        x: [N, *event] uint8, or float32 in data units.
        y: [N] int64 class index, or None.
        value_range: (0, 1) for uint8; for floats (0, 1) or None.
        n_classes: number of label values, 0 where there are no labels.
        class_names: their names, perhaps empty.
        split_name: the part that this is.
        open_split: gives another part by name, or raises DataError.
        files: that the values were read from.
        x_values: "real".
        event_shape: shape of one datum.
    """

    x: Tensor
    y: Tensor | None
    value_range: tuple[float, float] | None
    n_classes: int
    class_names: tuple[str, ...]
    split_name: str
    open_split: Callable[[Split], Dataset]
    files: tuple[Path, ...] = ()
    x_values: XValues = "real"
    event_shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.event_shape = tuple(self.x.shape[1:])

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        """Returns the data of these rows [B] in float32, with labels where there are any."""
        rows = rows.to(self.x.device)
        x = self.x[rows]
        if x.dtype == torch.uint8:
            noise = torch.rand(x.shape, generator=rng, device=rng.device)
            x = dequantise(x, noise.to(x.device))
        return Batch(x=x, y=None if self.y is None else self.y[rows])

    def split(self, name: str) -> Dataset:
        """Returns the "train" or "test" part; raises DataError where there is none."""
        known = known_split(name)
        return self if known == self.split_name else self.open_split(known)


def known_split(name: str) -> Split:
    """Returns the name of a part; raises DataError where no data set has such a part."""
    for known in SPLITS:
        if name == known:
            return known
    raise DataError(f"Split '{name}' was asked for; a data set has: {', '.join(SPLITS)}.")

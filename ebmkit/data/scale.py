"""Measures mean and s.d. of data that have no range of values."""

from __future__ import annotations

import torch

from ebmkit.plugins.scale import Scale
from ebmkit.protocols.dataset import Dataset

ROWS = 4_096
DIGITS = 4


def measured(dataset: Dataset) -> Scale | None:
    """Returns mean and s.d. of each entry of x over rows spread over the data.

    None where nobody needs them: images, discrete x, data with a range of values, data about as a standard normal is.
    """
    shape = tuple(dataset.event_shape)
    if len(shape) == 3 or dataset.value_range is not None or dataset.x_values != "real" or not len(dataset):
        return None
    rows = torch.linspace(0, len(dataset) - 1, min(len(dataset), ROWS)).long()
    x = dataset.batch(rows, torch.Generator().manual_seed(0)).x.flatten(1).double()
    mean, sd = x.mean(dim=0), x.std(dim=0, correction=0)
    if not bool(torch.isfinite(sd).all()):
        return None  # what is wrong with the data is told elsewhere
    sd = torch.where(sd > 1e-9 * mean.abs(), sd, 1.0)
    found = Scale(mean=tuple(map(_rounded, mean.tolist())), sd=tuple(map(_rounded, sd.tolist())))
    return None if found.is_usual else found


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")

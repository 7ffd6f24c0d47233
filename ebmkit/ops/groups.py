"""Rows in groups: which group a row of several discrete coordinates is in, and means that leave the ends of one out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ebmkit.point import Point


def joint_level(point: Point, n_values: Mapping[str, int]) -> Tensor:
    """Returns one index [B] for the values of several discrete coordinates together, of which there are `n_values`."""
    index = torch.zeros(len(point), dtype=torch.long, device=point.x.device)
    for name, n in n_values.items():
        index = index * n + point.aux[name]
    return index


def trimmed_weights(
    values: Tensor, group: Tensor, every: Tensor, of_every: Tensor, *, lowest: float, highest: float, n_groups: int = 1
) -> Tensor:
    """Returns the weight [B] of each row, 0 or n/n_kept of its group, whose weighted mean leaves out both ends.

    Of the n rows of a group ⌊lowest · n⌋ with the lowest values are left out, and ⌊highest · n⌋ with the highest; what
    equals the last value that is kept is kept too. The mean weight of a group is 1, so its share of all rows stays.

    Args:
        values: of these rows [B].
        group: of each [B].
        every: values of all rows that are ranked together [N], these among them.
        of_every: their groups [N].
        lowest: share in [0, 1).
        highest: share in [0, 1), the two below 1 together.
        n_groups: a group is below it.

    >>> energies = torch.tensor([5.0, 1.0, 2.0, 3.0])
    >>> group = torch.zeros(4, dtype=torch.long)
    >>> trimmed_weights(energies, group, energies, group, lowest=0.25, highest=0.25)
    tensor([0., 0., 2., 2.])
    """
    by_value = every.argsort()
    order = by_value[of_every[by_value].argsort(stable=True)]
    ones = torch.ones_like(of_every)
    n = torch.zeros(n_groups, dtype=ones.dtype, device=ones.device).index_add(0, of_every, ones)
    first = n.cumsum(0) - n
    cut_low, cut_high = (((share * n) + 1e-6).floor().long() for share in (lowest, highest))
    at = torch.stack([first + cut_low, first + n - 1 - cut_high]).clamp(0, len(every) - 1)
    low, high = every[order[at]]
    kept = (every >= low[of_every]) & (every <= high[of_every])
    n_kept = torch.zeros_like(n).index_add(0, of_every, kept.long()).clamp(min=1)
    own = (values >= low[group]) & (values <= high[group])
    weights: Tensor = own.to(values) * (n.to(values) / n_kept)[group]
    return weights

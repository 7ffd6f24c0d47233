"""The order in which an epoch takes the rows of shards: few shards at a time, and no state."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

import torch
from torch import Tensor

from ebmkit.rng import stream


def shard_rows(
    sizes: Sequence[int], mixed: int, batch_size: int, step: int, seed: int, rank: int = 0, world: int = 1
) -> Tensor:
    """Returns the rows [batch_size] of a step (from 1) of one of several ranks, a function of its arguments alone.

    Rows are numbered through all epochs, and a step takes the next batch_size · world of them, each rank its own part:
    an epoch visits each datum once on any number of ranks, and batches run across its end.

    Args:
        sizes: rows of each shard.
        mixed: shards whose rows are shuffled together.
        batch_size: of each rank.
        step: from 1.
        seed: of the run.
        rank: of this process.
        world: number of processes.
    """
    n = sum(sizes)
    first = ((step - 1) * world + rank) * batch_size
    parts, left = list[Tensor](), batch_size
    while left:
        epoch, place = divmod(first, n)
        part = _from(tuple(sizes), mixed, epoch, place, left, seed)
        parts.append(part)
        first, left = first + len(part), left - len(part)
    return torch.cat(parts)


def next_shards(
    sizes: Sequence[int], mixed: int, batch_size: int, step: int, seed: int, rank: int = 0, world: int = 1
) -> tuple[int, ...]:
    """Returns the shards of the window after that of a step's last row, which are to be read meanwhile."""
    last = ((step - 1) * world + rank + 1) * batch_size - 1
    epoch, place = divmod(last, sum(sizes))
    windows, starts = _windows(tuple(sizes), mixed, epoch, seed)
    following = bisect_right(starts, place)
    return windows[following] if following < len(windows) else _windows(tuple(sizes), mixed, epoch + 1, seed)[0][0]


def _from(sizes: tuple[int, ...], mixed: int, epoch: int, place: int, most: int, seed: int) -> Tensor:
    """Returns up to so many rows from a place in an epoch on, all of one window."""
    windows, starts = _windows(sizes, mixed, epoch, seed)
    window = bisect_right(starts, place) - 1
    at = place - starts[window]
    return _shuffled(sizes, windows[window], epoch, window, seed)[at : at + most].clone()  # the window's order is kept


@lru_cache(maxsize=4)
def _windows(
    sizes: tuple[int, ...], mixed: int, epoch: int, seed: int
) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """Returns the shards of each window of an epoch, and the place of its first row."""
    order = torch.randperm(len(sizes), generator=stream(seed, epoch, "shards")).tolist()
    order = [shard for shard in order if sizes[shard]]
    windows = tuple(tuple(order[i : i + mixed]) for i in range(0, len(order), mixed))
    lengths = [sum(sizes[shard] for shard in window) for window in windows]
    return windows, (0, *accumulate(lengths[:-1]))


@lru_cache(maxsize=2)
def _shuffled(sizes: tuple[int, ...], window: tuple[int, ...], epoch: int, number: int, seed: int) -> Tensor:
    firsts = (0, *accumulate(sizes))
    rows = torch.cat([torch.arange(firsts[shard], firsts[shard] + sizes[shard]) for shard in window])
    return rows[torch.randperm(len(rows), generator=stream(seed, epoch, f"rows {number}"))]

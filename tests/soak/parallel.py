"""Trials in several processes at once, each a fork of this one."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

import torch

Found = TypeVar("Found")


def each(tried: Callable[..., Found], trials: Iterable[Sequence[Any]], jobs: int) -> Iterator[Found]:
    """Yields what a function returns for each trial, in order; with one job, in this process."""
    if jobs == 1:
        yield from (tried(*trial) for trial in trials)
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from [future.result() for future in [pool.submit(tried, *trial) for trial in trials]]

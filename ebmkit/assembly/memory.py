"""What parts may take in memory while they are built, asked before it is taken."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ebmkit.data.spec import DataSpec
from ebmkit.errors import DataError, RecipeError
from ebmkit.protocols.dataset import Dataset, InShards

MAKES = frozenset({
    torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.randint, torch.randperm,
    torch.Tensor.new_empty, torch.Tensor.new_zeros, torch.Tensor.new_ones, torch.Tensor.new_full,
})  # fmt: skip
"""Functions of torch whose arguments are the shape of what they make."""

SPARE, UNPACKED = 2**28, 8
"""Bytes that loaded parts may take in any case, and times as many as their file: weights may be kept in 8 bits."""

MOST_TENSORS = 100_000
"""That one part may make: beyond it, the build of its layers would never end."""

NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "size calculation overflowed",
             "multiplication overflow", "Overflow when unpacking", "exceeds the limit")  # fmt: skip
"""What torch says where memory is not enough, or a size is beyond any."""


def free_bytes() -> int:
    """Returns the bytes of memory that this machine has free, as far as it tells."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 2**63


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is not enough."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, (RuntimeError, OverflowError)) and any(word in str(error) for word in NO_MEMORY)


def fitting(data: DataSpec | None, batch_size: int, dataset: Dataset | None) -> DataSpec:
    """Returns what is known of the data; a batch of them, and the order of an epoch, fit into memory.

    Raises:
        DataError: nothing is known.
        RecipeError: they do not fit.
    """
    if data is None:
        raise DataError("Without its data set, a model needs to know the shape of the data.")
    ordered = 0 if dataset is None or isinstance(dataset, InShards) else data.n_data
    taken = {f"A batch of {batch_size:,} data": 4 * batch_size * math.prod(data.event_shape),
             f"The order of {ordered:,} data": 8 * ordered}  # fmt: skip
    for what, n_bytes in taken.items():
        if n_bytes > free_bytes():
            raise RecipeError(f"{what} takes {n_bytes:,} bytes of memory, and this machine has {free_bytes():,} free.")
    return data


_allowed: ContextVar[int] = ContextVar("allowed", default=2**63)


@contextmanager
def no_larger_than(tensors: Iterable[torch.Tensor]) -> Iterator[None]:
    """Within it, parts take little more than saved tensors do, whatever is said of the data that they are for."""
    token = _allowed.set(SPARE + UNPACKED * sum(tensor.nbytes for tensor in tensors))
    try:
        yield
    finally:
        _allowed.reset(token)


@contextmanager
def within_memory(who: str) -> Iterator[None]:
    """Within it, torch makes no more than the machine has memory for.

    Args:
        who: begins the message.

    Raises:
        RecipeError: a tensor, or all of them together, would take more.
    """
    try:
        with _Counted(who, min(free_bytes(), _allowed.get())):
            yield
    except (RuntimeError, MemoryError, OverflowError) as error:
        if not is_out_of_memory(error):
            raise
        raise RecipeError(f"{who} asked for more memory than there is: {str(error).splitlines()[0]}") from error


class _Counted(TorchFunctionMode):
    """Counts the bytes of new tensors; raises RecipeError where they are too many."""

    def __init__(self, who: str, most: int) -> None:
        super().__init__()
        self.who, self.most, self.n_bytes, self.n = who, most, 0, 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        if func in MAKES:
            self._add(_n_entries(args))
        return func(*args, **(kwargs or {}))

    def _add(self, n_entries: int) -> None:
        self.n_bytes, self.n = self.n_bytes + 4 * n_entries, self.n + 1
        if self.n_bytes > self.most:
            raise RecipeError(
                f"{self.who} asked for {self.n_bytes:,} bytes of memory, and {self.most:,} are free, or called for by "
                "the weights that were saved. Make its settings smaller, or the data; or the run is damaged."
            )
        if self.n > MOST_TENSORS:
            raise RecipeError(f"{self.who} made {self.n:,} tensors and was not done. Make its settings smaller.")


def _n_entries(args: Sequence[Any]) -> int:
    """Returns the number of entries of a shape among arguments; 0 where it says nothing."""
    rest = args[1:] if args and isinstance(args[0], torch.Tensor) else args
    sizes = next((arg for arg in rest if isinstance(arg, (tuple, list, torch.Size))), rest)
    numbers = [int(size) for size in sizes if isinstance(size, int) and size > 0]
    return math.prod(numbers) if numbers else 0

"""Seconds of several calls, taken in turn, and the bytes that autograd keeps meanwhile."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from statistics import median, quantiles

import torch
from torch import Tensor

from ebmkit.benchmarks.workload import Call

MOST_ROUNDS = 200

Times = dict[str, list[float]]


def interleaved(
    calls: Mapping[str, Call],
    *,
    seconds: float,
    least: int = 3,
    most: int = MOST_ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> Times:
    """Returns the seconds of every call in every round; each round makes all calls, in an order of its own.

    So a machine that slows down slows all of them, and none has the same predecessor's caches throughout.

    Args:
        calls: by name, warmed up.
        seconds: in which rounds are begun.
        least: rounds that are made in any case.
        most: rounds after which it ends.
        clock: tells seconds.
    """
    names, begun, shuffler = list(calls), clock(), Random(0)
    times: Times = {name: [] for name in names}
    done = 0
    while done < least or (done < most and clock() - begun < seconds):
        shuffler.shuffle(names)
        for name in names:
            before = clock()
            calls[name]()
            times[name].append(clock() - before)
        done += 1
    return times


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, and the quartiles beside it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Returns the spread of at least one value."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(median(values), low, high)


def ratios(slow: list[float], fast: list[float]) -> Spread:
    """Returns how many times as long one took as the other, round by round: what the machine did falls out."""
    return Spread.of([a / b for a, b in zip(slow, fast, strict=True)])


class _Kept:
    """A tensor that autograd keeps; lives as long as the graph."""

    __slots__ = ("__weakref__", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


class Ledger:
    """Counts the memory of tensors that autograd keeps, each storage once, and remembers the peak."""

    def __init__(self) -> None:
        self.peak = 0
        self._now = 0
        self._holders: dict[int, int] = {}

    def pack(self, tensor: Tensor) -> _Kept:
        """Takes a tensor into the books until autograd lets it go."""
        kept, storage = _Kept(tensor), tensor.untyped_storage()
        place, size = storage.data_ptr(), storage.nbytes()
        self._holders[place] = self._holders.get(place, 0) + 1
        if self._holders[place] == 1:
            self._now += size
            self.peak = max(self.peak, self._now)
        weakref.finalize(kept, self._let_go, place, size)
        return kept

    def unpack(self, kept: _Kept) -> Tensor:
        """Gives a tensor back to autograd."""
        return kept.tensor

    def _let_go(self, place: int, size: int) -> None:
        self._holders[place] -= 1
        if not self._holders[place]:
            del self._holders[place]
            self._now -= size


def bytes_kept(call: Call) -> int:
    """Returns the most memory, bytes, that autograd holds at any one time during a call, weights included."""
    ledger = Ledger()
    with torch.autograd.graph.saved_tensors_hooks(ledger.pack, ledger.unpack):
        call()
    return ledger.peak


def waiting(call: Call, device: torch.device) -> Call:
    """Returns the call, ending only when the device has done all of it."""
    if device.type != "cuda":
        return call

    def whole() -> None:
        call()
        torch.cuda.synchronize(device)

    return whole


@contextmanager
def threads(n: int | None) -> Iterator[int]:
    """Within it torch uses n threads, or as many as before; gives their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(n or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)

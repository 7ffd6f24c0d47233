"""What is timed: a workload, the ways of doing it, and what is asked of one way against another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from ebmkit.errors import EbmkitError

Measure = Literal["seconds", "bytes"]
Style = Literal["", "compile", "torchebm", "published"]
OVERHEAD = 1.05
"""How many times as long as the bare gradient loop a sampler may take."""

Call = Callable[[], object]
Make = Callable[[torch.device], "Timed"]


class Unavailable(EbmkitError):
    """A way cannot be taken here; the message says why, and stands in the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """What a way makes, ready to be called again and again.

    Attributes:
        call: does the whole workload once.
        engine: that runs it, where only the making decided.
        flops: floating-point operations of one call, None where nobody counted.
    """

    call: Call
    engine: str = ""
    flops: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way of doing a workload.

    Attributes:
        make: device → `Timed`; raises Unavailable, or another EbmkitError, where that cannot be.
        precision: of its passes: "fp32", "bf16" or in words.
        engine: "eager", "compile", "graph"; "" where the making decides.
        bare: the way that is the bare gradient loop of the same precision, "" for none.
        gradients: of one call, where it spends others than the workload says.
        style: "" is always timed; "torchebm", "published" when they are asked for; "compile" unless --quick.
    """

    make: Make
    precision: str = "fp32"
    engine: str = "eager"
    bare: str = ""
    gradients: int | None = None
    style: Style = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """What is asked of two ways: the first measures so and so many times the second.

    Attributes:
        first: name of a way.
        second: name of a way.
        least: the least ratio first/second.
        most: the largest one.
        measure: what is compared: time, or the bytes that autograd keeps.
    """

    first: str
    second: str
    least: float = 0.0
    most: float = math.inf
    measure: Measure = "seconds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """Something to be done, in several ways.

    Attributes:
        name: to ask for it, `mlp-1k-hmc`.
        title: what it is, in one line.
        ways: name → way, in the order of the table.
        chains: that move together, or data in a training step.
        moves: of one call; a training step counts as none.
        gradients: ∇E of all chains in one call; 0 where that is no measure.
        bars: what is asked of the ways.
        peak: the way whose operations a second are what the device can do; "" where none tells.
        threads: of torch, where the workload says it; None leaves them.
        device: "cpu" or "cuda" where it makes sense on one alone, "" on both.
        seconds: its share of the time of a default run.
        least_rounds: rounds that are made however long they take.
    """

    name: str
    title: str
    ways: Mapping[str, Way]
    chains: int
    moves: int = 0
    gradients: int = 0
    bars: tuple[Bar, ...] = ()
    peak: str = ""
    threads: int | None = None
    device: Literal["", "cpu", "cuda"] = ""
    seconds: float = 8.0
    least_rounds: int = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """Under what the workloads are timed.

    Attributes:
        device: torch device.
        threads: of torch on the CPU; None leaves them as they are.
        quick: few rounds, nothing compiled: a look, no measurement.
        styles: further styles of ways that are timed.
        keep_memory: the C library keeps freed memory, for all ways alike: see `ebmkit.cli.allocator`.
    """

    device: torch.device
    threads: int | None = None
    quick: bool = False
    styles: frozenset[str] = frozenset()
    keep_memory: bool = False

    def wants(self, way: Way) -> bool:
        """Whether a way is timed at all."""
        return way.style == "" or way.style in self.styles or (way.style == "compile" and not self.quick)

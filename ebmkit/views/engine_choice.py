"""What `engine = "auto"` of a run becomes: the outcome of a short measurement at its start."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

import torch
from torch import Generator

from ebmkit.display.doing import doing
from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import Sampler
from ebmkit.views.passes import Engine

COMPILE_SECONDS = 40.0
"""What a compilation may take on a CPU: 10 to 60 s were measured, growing with the network."""
WORTH_TRYING = 4.0
"""Sampling must last this many compilations: where compiling halves it, twice what it costs is won."""
CAPTURE_TRANSITIONS = 6
"""What a capture on CUDA costs, in transitions: three to warm up, itself, its replay, an eager one to compare."""
MANY_GRADIENTS = 250
"""A transition seldom makes more. What would not pay with so many is decided without a trial transition."""
WORTH_TAKING = 1.05
"""An engine must be this many times as fast as eager: less is noise."""

View = TypeVar("View", bound=EnergyView)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """An engine with its reason.

    Attributes:
        engine: chosen.
        reason: one sentence with the measured figures.
        milliseconds: of a gradient of one batch, by each engine that was measured.
    """

    engine: Engine
    reason: str
    milliseconds: Mapping[Engine, float] = field(default_factory=dict)


def choose_engine(
    make: Callable[[Engine], View], sampler: Sampler, point: Point, rng: Generator, *, steps: int
) -> tuple[View, Choice]:
    """Returns the view of the engine that is fastest here for a run, and why.

    First one gradient is timed. A run that is too short for anything else even with `MANY_GRADIENTS` a transition stays
    eager. Else one transition is made eagerly, which tells its gradients; with the time of a gradient and the number
    of training steps that is how long the run will sample. Compiling is tried only where that is at least
    `WORTH_TRYING` × `COMPILE_SECONDS`: in a shorter run it could not win back what it costs. A captured graph costs
    little and is tried on CUDA in all but the shortest runs. What was tried is then timed in turn with eager, and
    taken only where it is faster: compiled functions were measured 6 times as fast for a network, and 5 times slower
    for a mixture.

    Args:
        make: an engine → the run's view with it.
        sampler: the run's.
        point: a batch as the sampler will see it.
        rng: for the trial transition, a stream of its own.
        steps: of the run.

    Raises:
        EbmkitError: the sampler or the energy cannot be used at all.
    """
    doing("timing engines")
    eager = make("eager")
    once = _milliseconds({"eager": eager}, point, rounds=1)
    if not _candidates(point, once["eager"] / 1e3 * MANY_GRADIENTS * steps, steps):
        taken = f"a gradient of {len(point):,} chains takes eager {once['eager']:.3g} ms"
        reason = f"{taken}; {steps:,} steps are too few for more."
        return eager, Choice(engine="eager", reason=reason, milliseconds=once)
    _, info = sampler.step(eager, sampler.init(point, rng))
    if not info.n_gradients:
        return eager, Choice(engine="eager", reason="the sampler asks for no gradients.")
    alone = _milliseconds({"eager": eager}, point)
    total = alone["eager"] / 1e3 * info.n_gradients * steps
    candidates = _candidates(point, total, steps)
    tried, why_not = _tried(candidates, make, lambda seen: sampler.step(seen, sampler.init(point, rng)), point)
    if "compile" not in candidates:
        why_not = f"; all gradients of the run take about {total:.3g} s, too little to win a compilation back{why_not}"
    views: dict[Engine, View] = {"eager": eager, **tried}
    found = _milliseconds(views, point) if tried else alone
    best = min(found, key=lambda name: found[name] * (1.0 if name == "eager" else WORTH_TAKING))
    figures = ", ".join(f"{name} {found[name]:.3g} ms" for name in found)
    reason = f"a gradient of {len(point):,} chains takes {figures}{why_not}."
    return views[best], Choice(engine=best, reason=reason, milliseconds=found)


def _candidates(point: Point, total: float, steps: int) -> list[Engine]:
    """Returns the engines beside eager that may pay in a run of so many steps and seconds of sampling."""
    on_cuda = point.x.device.type == "cuda"
    found: list[Engine] = ["graph"] if on_cuda and steps >= WORTH_TRYING * CAPTURE_TRANSITIONS else []
    return [*found, "compile"] if total >= WORTH_TRYING * COMPILE_SECONDS else found


def _tried(
    candidates: list[Engine], make: Callable[[Engine], View], transition: Callable[[View], object], point: Point
) -> tuple[dict[Engine, View], str]:
    """Returns the views that work, and why others do not."""
    found: dict[Engine, View] = {}
    why_not = ""
    for engine in candidates:
        try:
            found[engine] = make(engine)
            found[engine].gradient(point)
            transition(found[engine])  # a captured loop of moves may fail where a gradient does not
        except CapabilityError as error:
            found.pop(engine, None)
            why_not += f"; {engine}: {error}".rstrip(".")
    return found, why_not


def _milliseconds(views: Mapping[Engine, EnergyView], point: Point, rounds: int = 5) -> dict[Engine, float]:
    """Returns the median milliseconds of a gradient by each view, in turn, after one that is not counted."""
    times: dict[Engine, list[float]] = {name: [] for name in views}
    for i in range(rounds + 1):
        for name, view in views.items():
            _wait(point)
            begun = time.perf_counter()
            view.gradient(point)
            _wait(point)
            if i:
                times[name].append(1e3 * (time.perf_counter() - begun))
    return {name: median(values) for name, values in times.items()}


def _wait(point: Point) -> None:
    if point.x.device.type == "cuda":
        torch.cuda.synchronize(point.x.device)

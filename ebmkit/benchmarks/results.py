"""Measures workloads: what each way took, what autograd kept, and which bars are met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ebmkit.benchmarks.timing import Spread, bytes_kept, interleaved, ratios, threads, waiting
from ebmkit.benchmarks.workload import Bar, Conditions, Timed, Way, Workload
from ebmkit.errors import EbmkitError

QUICK_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What was measured of one way.

    Attributes:
        way: its name.
        precision: of its passes.
        engine: that ran it.
        note: why nothing was measured, else "".
        seconds: of each round.
        moves_per_second: batch moves a second: all chains moving at once count as one.
        gradients_per_second: batch gradients a second, of all chains at once; those it spends.
        over_bare: seconds over those of its bare gradient loop, the median of all rounds; None where it has none.
        bytes_kept: at most, by autograd during a call.
        flops_per_second: where the way counts them.
    """

    way: str
    precision: str
    engine: str
    note: str = ""
    seconds: tuple[float, ...] = ()
    moves_per_second: float | None = None
    gradients_per_second: float | None = None
    over_bare: float | None = None
    bytes_kept: int | None = None
    flops_per_second: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether a bar is met.

    Attributes:
        bar: what was asked.
        found: the ratio that was measured, median and quartiles; None where one of the ways was not.
    """

    bar: Bar
    found: Spread | None

    @property
    def is_met(self) -> bool | None:
        """Whether it is; None where it was not measured."""
        return None if self.found is None else self.bar.least <= self.found.median <= self.bar.most


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What was measured of a workload.

    Attributes:
        workload: what was done.
        rows: one a way.
        verdicts: one a bar.
        threads: of torch meanwhile.
        note: why nothing was measured, else "".
    """

    workload: Workload
    rows: tuple[Row, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    threads: int = 0
    note: str = ""


def measure(workload: Workload, conditions: Conditions, tell: Callable[[str], None] = lambda line: None) -> Result:
    """Returns what was measured of a workload.

    Every way is made and called, for caches and compilers and under the eyes of a ledger of what autograd keeps; then
    all are timed in turn.

    Args:
        workload: what to do.
        conditions: where and how thoroughly.
        tell: is told what is being done.
    """
    if workload.device not in ("", conditions.device.type):
        return Result(workload=workload, note=f"needs a {workload.device} device; this is {conditions.device}")
    with threads(workload.threads or conditions.threads) as n_threads:
        made, notes, kept = {}, {}, {}
        for name, way in workload.ways.items():
            if conditions.wants(way):
                tell(f"{workload.name}: {name}")
                try:
                    made[name], kept[name] = _prepared(workload, way, conditions)
                except EbmkitError as error:
                    notes[name] = str(error)
        tell(f"{workload.name}: timing")
        calls = {name: waiting(timed.call, conditions.device) for name, timed in made.items()}
        least = min(2, workload.least_rounds) if conditions.quick else workload.least_rounds
        seconds = min(QUICK_SECONDS, workload.seconds) if conditions.quick else workload.seconds
        times = interleaved(calls, seconds=seconds, least=least) if calls else {}
    rows = [
        _row(workload, name, way, made.get(name), notes.get(name, ""), times, kept.get(name))
        for name, way in workload.ways.items()
        if conditions.wants(way)
    ]
    verdicts = tuple(_verdict(bar, times, kept) for bar in workload.bars)
    return Result(workload=workload, rows=tuple(rows), verdicts=verdicts, threads=n_threads)


def _prepared(workload: Workload, way: Way, conditions: Conditions) -> tuple[Timed, int | None]:
    timed = way.make(conditions.device)
    if workload.moves or way.engine != "eager":  # a sampler may measure at its first call; a long step need not wait
        timed.call()
    return timed, bytes_kept(timed.call) if way.engine == "eager" else None


def _row(
    workload: Workload, name: str, way: Way, made: Timed | None, note: str, times: dict[str, list[float]],
    kept: int | None,
) -> Row:  # fmt: skip
    engine = (made.engine if made else "") or way.engine
    if made is None:
        return Row(way=name, precision=way.precision, engine=engine, note=note)
    seconds = times[name]
    middle, bare = Spread.of(seconds).median, times.get(way.bare)
    gradients = workload.gradients if way.gradients is None else way.gradients
    return Row(
        way=name,
        precision=way.precision,
        engine=engine,
        seconds=tuple(seconds),
        moves_per_second=workload.moves / middle if workload.moves else None,
        gradients_per_second=gradients / middle if gradients else None,
        over_bare=ratios(seconds, bare).median if bare else None,
        bytes_kept=kept,
        flops_per_second=made.flops / middle if made.flops else None,
    )


def _verdict(bar: Bar, times: dict[str, list[float]], kept: dict[str, int | None]) -> Verdict:
    if bar.measure == "bytes":
        first, second = kept.get(bar.first), kept.get(bar.second)
        return Verdict(bar=bar, found=ratios([float(first)], [float(second)]) if first and second else None)
    if bar.first not in times or bar.second not in times:
        return Verdict(bar=bar, found=None)
    return Verdict(bar=bar, found=ratios(times[bar.first], times[bar.second]))

"""Looks at the signals of a run, and says when one is beyond its threshold for long enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, log
from typing import Literal

from ebmkit.training.alarms.measures import Looked, Signals
from ebmkit.training.alarms.table import ALARMS, Alarm

Kind = Literal["warning", "stop"]

USUAL_LOOKS = 50
"""Looks, after which a gradient norm has a usual value: its geometric mean over about so many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A signal beyond a threshold.

    Attributes:
        step: of the look, from 1.
        alarm: the line of the table.
        kind: "warning", or "stop": beyond doubt.
        value: what was measured.
        signals: all signals of the look.
    """

    step: int
    alarm: Alarm
    kind: Kind
    value: float
    signals: Mapping[str, float]

    @property
    def name(self) -> str:
        """Of the alarm."""
        return self.alarm.name

    @property
    def text(self) -> str:
        """What was found, what it means and what to change."""
        alarm, limit = self.alarm, self.alarm.warn if self.kind == "warning" else self.alarm.stop
        found = f"{alarm.signal}: {self.value:.3g}, limit {limit:g}"
        return f"Step {self.step}: {alarm.meaning} ({found}). {alarm.advice}"


class Alarms:
    """Knows how long each signal of a run has been beyond its thresholds; see `table.ALARMS`.

    Args:
        temperature: T of the run, nats.
        n_entries: entries of x.
        alarms: lines of the table, in the order in which they are named where several apply.
    """

    def __init__(self, *, temperature: float, n_entries: int, alarms: Sequence[Alarm] = ALARMS) -> None:
        self.temperature, self.n_entries = temperature, n_entries
        self.alarms = tuple(alarm for alarm in alarms if alarm.measure is not None)
        self.first: Signals = {}
        self._warned, self._stopped = Counter[str](), Counter[str]()
        self._logs: dict[str, float] = {}
        self._looks = 0

    def look(self, step: int, signals: Signals) -> tuple[Finding, ...]:
        """Returns what is newly found: one stop, or warnings, each once for a time beyond its threshold."""
        self.first = self.first or dict(signals)
        values = self._values(signals)
        self._remember(signals)
        for alarm in self.alarms:
            value = values.get(alarm.name)
            _count(self._warned, alarm.name, value is not None and value > alarm.warn)
            _count(self._stopped, alarm.name, value is not None and value > alarm.stop)
        stops = [alarm for alarm in self.alarms if self._stopped[alarm.name] >= alarm.stop_looks]
        if stops:
            return (self._finding(step, stops[0], "stop", values, signals),)
        warned = [alarm for alarm in self.alarms if self._warned[alarm.name] == alarm.warn_looks]
        return tuple(self._finding(step, alarm, "warning", values, signals) for alarm in warned)

    @property
    def are_quiet(self) -> bool:
        """Whether no signal was beyond its first threshold at the last look."""
        return not any(self._warned.values())

    def as_json(self) -> dict[str, Mapping[str, float]]:
        """Returns what the next look depends on."""
        told = {"first": self.first, "warned": dict(self._warned), "stopped": dict(self._stopped)}
        return told | {"logs": dict(self._logs), "looks": {"n": self._looks}}

    def take(self, saved: Mapping[str, Mapping[str, float]]) -> None:
        """Goes on from what `as_json` returned."""
        self.first = dict(saved["first"])
        self._warned, self._stopped = (
            Counter({name: int(n) for name, n in saved[key].items()}) for key in ("warned", "stopped")
        )
        self._logs = dict(saved.get("logs", {}))  # a checkpoint of before has none, and begins to count
        self._looks = int(saved.get("looks", {}).get("n", 0))

    def worst(self, step: int, signals: Signals) -> Finding | None:
        """Returns the first line whose stop threshold is passed right now, for the diagnosis of a run that broke."""
        values = self._values(signals)
        over = [alarm for alarm in self.alarms if values.get(alarm.name, 0.0) > alarm.stop]
        return self._finding(step, over[0], "stop", values, signals) if over else None

    def _remember(self, signals: Signals) -> None:
        """Takes the gradient norms of a look into their usual values."""
        self._looks += 1
        for name, value in signals.items():
            if name.startswith("gradient_norm.") and 0 < value < inf:
                old = self._logs.setdefault(name, log(value))
                self._logs[name] = old + (log(value) - old) / min(self._looks, USUAL_LOOKS)

    def _finding(self, step: int, alarm: Alarm, kind: Kind, values: Mapping[str, float], signals: Signals) -> Finding:
        return Finding(step=step, alarm=alarm, kind=kind, value=values[alarm.name], signals=signals)

    def _values(self, signals: Signals) -> dict[str, float]:
        usual = {name: exp(value) for name, value in self._logs.items()} if self._looks >= USUAL_LOOKS else {}
        first = self.first or signals
        look = Looked(now=signals, first=first, temperature=self.temperature, n_entries=self.n_entries, usual=usual)
        found = {alarm.name: alarm.measure(look) for alarm in self.alarms if alarm.measure is not None}
        return {name: value for name, value in found.items() if value is not None}


def _count(times: Counter[str], name: str, beyond: bool) -> None:
    times[name] = times[name] + 1 if beyond else 0

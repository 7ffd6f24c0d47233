"""Laws of the alarms: a warning first, then a stop, and only for signals that stay beyond their threshold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import exp

from hypothesis import given
from hypothesis import strategies as st

from ebmkit.training.alarms.alarms import Alarms, Finding
from ebmkit.training.alarms.table import BY_NAME, Alarm

HOT = Alarm(
    name="hot",
    signal="heat",
    measure=lambda look: look.now.get("heat"),
    warn=10.0,
    stop=100.0,
    warn_looks=2,
    stop_looks=3,
    meaning="It is hot",
    change="Cool it.",
)
LOUD = Alarm(
    name="loud", signal="noise", measure=lambda look: look.now.get("noise"), warn=1.0, stop=1.0, meaning="It is loud",
    change="Hush.",
)  # fmt: skip


def findings(heats: Sequence[float], noises: Sequence[float] = ()) -> list[tuple[int, str, str]]:
    alarms, found = Alarms(temperature=1.0, n_entries=2, alarms=(HOT, LOUD)), list[Finding]()
    for step, heat in enumerate(heats):
        noise = {"noise": noises[step]} if noises else {}
        found += alarms.look(step, {"heat": heat, **noise})
    return [(finding.step, finding.alarm.name, finding.kind) for finding in found]


def test_it_warns_then_stops() -> None:
    assert findings([1, 200, 200, 200]) == [(2, "hot", "warning"), (3, "hot", "stop")]


def test_a_warning_is_told_once_until_the_signal_was_back() -> None:
    assert findings([20] * 9) == [(1, "hot", "warning")]
    assert findings([20, 20, 1, 20, 20]) == [(1, "hot", "warning"), (4, "hot", "warning")]


def test_one_look_is_no_finding() -> None:
    assert findings([1e9, 1, 1e9, 1]) == []


def test_the_upper_line_is_told_where_two_stop() -> None:
    assert findings([200] * 3, [2] * 3)[-1] == (2, "hot", "stop")


@given(st.lists(st.floats(0, 10), max_size=30))
def test_what_stays_within_is_never_found(heats: list[float]) -> None:
    assert findings(heats) == []


@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_a_stop_was_announced_by_a_warning(heats: list[float]) -> None:
    found = findings(heats)
    for place, (_, _, kind) in enumerate(found):
        assert kind == "warning" or any(earlier == "warning" for _, _, earlier in found[:place])


def test_a_finding_says_what_was_seen_and_what_to_change() -> None:
    alarms = Alarms(temperature=1.0, n_entries=2, alarms=(HOT, LOUD))
    assert alarms.worst(3, {"heat": 20.0}) is None
    worst = alarms.worst(3, {"heat": 300.0})
    assert worst is not None
    assert worst.text == "Step 3: It is hot (heat: 300, limit 100). Cool it. (alarm hot; docs/alarms.md)"


JUMP = BY_NAME["gradient-jump"]


def jumps(norms: Sequence[float], alarms: Alarms | None = None) -> list[int]:
    alarms = alarms or Alarms(temperature=1.0, n_entries=2, alarms=(JUMP,))
    found = (alarms.look(step, {"gradient_norm.energy": norm, "loss": 1.0}) for step, norm in enumerate(norms))
    return [finding.step for several in found for finding in several]


@given(st.floats(1e-6, 1e6))
def test_a_gradient_that_jumps_and_stays_is_told_in_any_unit(unit: float) -> None:
    usual = [unit * (0.5 + 0.02 * k) for k in range(60)]
    assert jumps([*usual, *(40 * unit for _ in range(3))]) == [62]
    assert jumps([*usual, 1e3 * unit, 1e3 * unit, unit, unit]) == [], "two updates are not yet a state"
    assert jumps([*(unit for _ in range(40)), *(40 * unit for _ in range(9))]) == [], "nothing is usual yet"


@given(st.lists(st.floats(0.4, 2.5), min_size=60, max_size=120), st.floats(-0.02, 0.02))
def test_a_gradient_that_drifts_or_scatters_is_no_jump(norms: list[float], rate: float) -> None:
    assert jumps([norm * exp(rate * k) for k, norm in enumerate(norms)]) == []


def test_what_is_usual_is_known_after_a_resume() -> None:
    before = Alarms(temperature=1.0, n_entries=2, alarms=(JUMP,))
    jumps([1.0] * 60, before)
    after = Alarms(temperature=1.0, n_entries=2, alarms=(JUMP,))
    after.take(json.loads(json.dumps(before.as_json())))
    assert jumps([40.0] * 3, after) == [2]
    old = {name: before.as_json()[name] for name in ("first", "warned", "stopped")}
    after.take(old)
    assert jumps([40.0] * 3, after) == [], "a checkpoint of before this alarm"


def test_a_gradient_of_zero_is_not_remembered() -> None:
    assert jumps([0.0] * 60 + [1.0] * 5) == []

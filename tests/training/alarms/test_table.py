"""Laws of the table of alarms: every line can be read, and a warning comes before a stop."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ebmkit
from ebmkit.training.alarms.table import ALARMS, BY_NAME, EVERY, Alarm, advice

LINES = pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)


def test_names_are_different() -> None:
    assert len(BY_NAME) == len(ALARMS)


@LINES
def test_a_line_says_what_it_means_and_what_to_change(alarm: Alarm) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", alarm.name)
    assert alarm.signal and alarm.meaning[0].isupper() and not alarm.meaning.endswith(".")
    assert alarm.change.endswith(".")
    assert advice(alarm.name) == f"{alarm.change} (alarm {alarm.name}; docs/alarms.md)"


@LINES
def test_a_warning_comes_no_later_than_a_stop(alarm: Alarm) -> None:
    assert alarm.warn <= alarm.stop
    assert alarm.warn_looks <= alarm.stop_looks
    assert alarm.stop_looks * EVERY < 200


def test_lines_that_measure_nothing_are_named_by_those_who_meet_them() -> None:
    root = Path(ebmkit.__file__).parent
    sources = "".join(path.read_text() for folder in ("training", "runs") for path in (root / folder).rglob("*.py"))
    named = set(re.findall(r"advice\(['\"]([\w-]+)['\"]\)", sources))
    assert named == {alarm.name for alarm in ALARMS if alarm.measure is None}

"""Laws of saying what is being done: heard by the nearest listener, and told to a pipe only where it lasts."""

from __future__ import annotations

import time

import pytest

from ebmkit.display.doing import Patient, doing, heard
from ebmkit.display.watching import preparing, watching


def test_the_nearest_listener_hears_and_nobody_after_the_end() -> None:
    outer: list[str] = []
    inner: list[str] = []
    doing("nobody hears")
    with heard(outer.append):
        doing("one")
        with pytest.raises(ValueError, match="x"), heard(inner.append):
            doing("two")
            raise ValueError("x")
        doing("three")
    doing("nobody hears")
    assert outer == ["one", "three"] and inner == ["two"]


def test_a_pipe_is_told_what_lasts_and_nothing_else() -> None:
    lines: list[str] = []
    patient = Patient(lines.append, seconds=0.05)
    for i in range(20):
        patient.doing(f"short {i}")
    patient.doing("long")
    deadline = time.monotonic() + 10
    while not lines and time.monotonic() < deadline:
        time.sleep(0.01)
    patient.doing("ended at once")
    patient.end()
    time.sleep(0.1)
    assert lines == ["long …"]


def test_a_step_ends_what_was_done_before_it(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from ebmkit.display.progress import Progress

    monkeypatch.setattr("ebmkit.display.doing.Timer", Instant)
    with watching("") as watch:
        doing("making step 1")
        assert Instant.waiting == {"making step 1 …"}
        watch(Progress(step=1, steps=2))
        assert not Instant.waiting
    assert capsys.readouterr() == ("", "")


class Instant:
    """A timer that never rings, and is known while it waits."""

    waiting: set[str] = set()  # noqa: RUF012

    def __init__(self, seconds: float, write: object, arguments: list[str]) -> None:
        self.arguments = arguments

    def start(self) -> None:
        self.waiting.update(self.arguments)

    def cancel(self) -> None:
        self.waiting.difference_update(self.arguments)


def test_the_first_that_is_done_is_told_to_a_pipe_at_once(capsys) -> None:
    with preparing("importing torch"):
        assert capsys.readouterr() == ("", "importing torch …\n")
    with preparing():
        pass
    assert capsys.readouterr() == ("", "")

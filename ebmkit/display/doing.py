"""What is being done now: rooms below say it, and whoever shows a run to a person hears it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Timer

from ebmkit.display.output import remark

Hears = Callable[[str], None]

PATIENCE = 1.0
"""Seconds that something lasts before a pipe is told of it."""

_hears: ContextVar[Hears | None] = ContextVar("hears", default=None)


def doing(what: str) -> None:
    """Says what begins now and may take more than a second, as in "timing engines"; nothing happens unheard.

    >>> with heard(print):
    ...     doing("timing engines")
    timing engines
    """
    hears = _hears.get()
    if hears is not None:
        hears(what)


@contextmanager
def heard(hears: Hears) -> Iterator[None]:
    """Within it, a function hears what is being done."""
    before = _hears.set(hears)
    try:
        yield
    finally:
        _hears.reset(before)


class Patient:
    """Writes what is being done as one line on stderr, once it has lasted `PATIENCE` seconds.

    Args:
        write: takes the line.
        seconds: before it is written; unset, `PATIENCE`.
    """

    def __init__(self, write: Callable[[str], None] = remark, seconds: float | None = None) -> None:
        self._write = write
        self._seconds = PATIENCE if seconds is None else seconds
        self._timer: Timer | None = None

    def doing(self, what: str) -> None:
        """Begins to wait; what was done before has ended."""
        self.end()
        self._timer = Timer(self._seconds, self._write, [f"{what} …"])
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Nothing is being done any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

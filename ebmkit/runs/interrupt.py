"""Requests to stop: signals and a limit of time. A step may end before a run stops, and what it made is saved."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ebmkit.errors import RunError

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name))
TRY_AGAIN = 75
"""Exit status of a run that was told to stop and can go on; EX_TEMPFAIL of sysexits.h. After Ctrl-C it is 1."""
TWICE = 0.5
"""Seconds after which a second Ctrl-C is a person's, and no echo of the first."""


class Interrupted(RunError):
    """A run that was asked to stop, and did so after a step, or before its first."""

    def __init__(self, message: str, exit_status: int = 1) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class Stopped(KeyboardInterrupt):
    """Ends what a run does before its first step."""


class Stop:
    """Whether a run was asked to stop, and by what.

    Attributes:
        why: "SIGTERM", "Ctrl-C" and the like, "" as long as nobody asked.
        resumes: how to go on where nothing was trained yet.
    """

    def __init__(self) -> None:
        self.why, self.resumes = "", "Nothing was written: start it again."
        self._begun, self._asked_at, self._stepping = time.monotonic(), 0.0, False
        self._deadline = float("inf")

    @property
    def exit_status(self) -> int:
        """Of a run that was asked to stop."""
        return 1 if self.why == "Ctrl-C" else TRY_AGAIN

    def after(self, minutes: float | None) -> None:
        """Asks a run to stop so many minutes after its process began with it; None for never."""
        self._deadline = float("inf") if minutes is None else self._begun + 60 * minutes

    def asked(self) -> bool:
        """Whether it is time to stop."""
        if not self.why and time.monotonic() > self._deadline:
            self.why = "run.max_minutes"
        return bool(self.why)

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """Within it, a request to stop is only remembered, so that a step can end."""
        self._stepping = True
        try:
            yield
        finally:
            self._stepping = False

    def hear(self, number: int, frame: Any) -> None:
        """Hears a signal; a second Ctrl-C stops at once."""
        if self.why:
            if number == signal.SIGINT and time.monotonic() - self._asked_at > TWICE:
                raise KeyboardInterrupt
            return
        self.why = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        self._asked_at = time.monotonic()
        if not self._stepping:
            raise Stopped


_now: list[Stop] = []


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Within it, SIGINT, SIGTERM, SIGHUP and SIGUSR1 ask a run to stop; one within another is the same.

    Before the first step, they end it with `Interrupted`; see `Stop.stepping`. A SIGHUP that the process was started
    to ignore, as by nohup, is ignored. In another thread than the main one, no signal is heard.
    """
    if threading.current_thread() is not threading.main_thread():
        yield Stop()
        return
    if _now:
        yield _now[0]
        return
    stop = Stop()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [n for n, handler in before.items() if n == signal.SIGINT or handler is not signal.SIG_IGN]
    _now.append(stop)
    for number in heard:
        signal.signal(number, stop.hear)
    try:
        yield stop
    except Stopped:
        raise Interrupted(f"Stopped by {stop.why} before the first step. {stop.resumes}", stop.exit_status) from None
    finally:
        _now.clear()
        for number in heard:
            signal.signal(number, before[number])

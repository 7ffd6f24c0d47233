"""Interruptions: a step may end before a run stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ebmkit.errors import RunError


class Interrupted(RunError):
    """A run that was asked to stop, and did so after a step."""


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Within it, the first SIGINT or SIGTERM is only remembered, so that a step can end; the second stops at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def remember(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    for number in before:
        signal.signal(number, remember)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

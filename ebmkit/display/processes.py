"""Whether this process is one of several that `torchrun` started; only the first one speaks. No torch."""

from __future__ import annotations

import os
import time

WAIT = 10.0
"""Seconds that a process leaves the first one to say what is wrong with what all of them were asked."""


def n_launched() -> int:
    """Returns how many processes were started together, from the variable WORLD_SIZE; 1 where it is not set."""
    size = os.environ.get("WORLD_SIZE", "1")
    return int(size) if size.isdecimal() and int(size) else 1


def is_follower() -> bool:
    """Whether this process was started with others and is not the first, so that it says and writes nothing."""
    return n_launched() > 1 and os.environ.get("RANK", "0") != "0"


def let_first_speak() -> None:
    """Waits before a process that has not met the others fails: `torchrun` ends all of them with the first to fail.

    What is wrong with a request is wrong in all of them, and only the first one says it; one that is still there
    afterwards failed alone.
    """
    if is_follower():
        time.sleep(WAIT)

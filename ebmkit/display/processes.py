"""Whether this process is one of several that `torchrun` started; only the first one speaks. No torch."""

from __future__ import annotations

import os


def n_launched() -> int:
    """Returns how many processes were started together, from the variable WORLD_SIZE; 1 where it is not set."""
    size = os.environ.get("WORLD_SIZE", "1")
    return int(size) if size.isdecimal() and int(size) else 1


def is_follower() -> bool:
    """Whether this process was started with others and is not the first, so that it says and writes nothing."""
    return n_launched() > 1 and os.environ.get("RANK", "0") != "0"

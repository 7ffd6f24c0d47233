"""Who is told how far chains are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ebmkit.display.doing import doing, is_heard
from ebmkit.display.watching import counting
from ebmkit.protocols.sampler import SamplerInfo

Progress = Callable[[int, int, SamplerInfo], None]
"""Is told (transitions made, transitions in all, info of the last)."""


@contextmanager
def told(progress: Progress | bool) -> Iterator[Progress]:
    """Yields what is told of each transition: the caller's function, or a display where that is True.

    Where somebody shows something already, a run say, nothing is shown below it.
    """
    if callable(progress):
        yield progress
        return
    shown = progress and not is_heard()
    with counting(shown=shown) as tell:
        if shown:
            doing("sampling")
        yield lambda made, total, info: tell(made, total, "transitions")

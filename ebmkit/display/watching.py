"""What a person sees while a run or sampling goes on: `watching` and `counting` choose the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from ebmkit.display.gauge import Gauge
from ebmkit.display.notebook import OneLine, in_notebook
from ebmkit.display.output import console, is_terminal
from ebmkit.display.progress import Watcher
from ebmkit.display.ways import SECONDS_A_FRAME, FewLines, LiveDisplay, NotebookLine, PlainLines, draw

if TYPE_CHECKING:
    from rich.live import Live

Teller = Callable[..., None]
"""Is told (done, total, of what, *more) while sampling goes on."""


@contextmanager
def watching(heading: str, *, shown: bool = True, few: bool = False) -> Iterator[Watcher]:
    """Yields what is to be told of each training step: a function of `Progress`.

    A terminal shows it live, a notebook in one line, a pipe in lines. The heading appears with the first step.

    Args:
        heading: one line, "" for none.
        shown: False shows nothing.
        few: in a pipe, about ten lines a run on stderr instead of one for every logged step on stdout.
    """
    if not shown:
        yield lambda progress: None
    elif in_notebook():
        with _one_line("getting data and parts ready …") as line:
            yield NotebookLine(line, heading)
    elif is_terminal():
        with _live("getting data and parts ready …") as live:
            yield LiveDisplay(live, heading)
    else:
        yield FewLines(heading) if few else PlainLines(heading)


@contextmanager
def counting(*, shown: bool = True) -> Iterator[Teller]:
    """Yields a function of (done, total, of what, *more) that shows how far sampling is; silent in a pipe."""
    if shown and in_notebook():
        with _one_line("getting the model ready …") as line:
            yield _at_frames(lambda done, total, left, *items: line.show(_counted(done, total, left, *items)))
    elif shown and is_terminal():
        with _live("getting the model ready …") as live:
            yield _at_frames(
                lambda done, total, left, *items: draw(live, Gauge(done=done, total=total, left=left, items=items))
            )
    else:
        yield lambda done, total, left, *items: None


def _counted(done: int, total: int, left: str, *items: str) -> str:
    return "   ".join((f"{done:,}/{total:,} {left}", *items))


def _at_frames(show: Teller) -> Teller:
    """Returns the function called a few times a second at most, and at the end."""
    drawn = -SECONDS_A_FRAME

    def tell(done: int, total: int, left: str, *items: str) -> None:
        nonlocal drawn
        if done == total or monotonic() - drawn >= SECONDS_A_FRAME:
            drawn = monotonic()
            show(done, total, left, *items)

    return tell


@contextmanager
def _one_line(first: str) -> Iterator[OneLine]:
    """Yields a notebook's line that shows a first text, gone if nothing else was shown."""
    line = OneLine()
    line.show(first, is_passing=True)
    try:
        yield line
    finally:
        line.end()


@contextmanager
def _live(first: str) -> Iterator[Live]:
    """Yields a display that shows a first line, gone at the end if nothing else was drawn."""
    from rich.live import Live
    from rich.text import Text

    with Live(Text(first, style="dim"), console=console(), auto_refresh=False, transient=True) as live:
        live.refresh()
        yield live

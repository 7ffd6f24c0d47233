"""What a person sees while a run or sampling goes on: a live terminal, one line of a notebook, or lines in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from ebmkit.display.doing import Patient, heard
from ebmkit.display.gauge import Gauge
from ebmkit.display.notebook import OneLine, in_notebook
from ebmkit.display.output import console, is_terminal, remark
from ebmkit.display.progress import Progress, Watcher
from ebmkit.display.terminal import Stage
from ebmkit.display.ways import SECONDS_A_FRAME, FewLines, LiveDisplay, NotebookLine, PlainLines

Teller = Callable[..., None]
"""Is told (done, total, of what, *more) while sampling goes on."""


@contextmanager
def preparing(first: str = "") -> Iterator[None]:
    """Within it, what is being done is shown; nothing of it stays on a terminal.

    Args:
        first: what begins now; a pipe is told at once, for an import may hold up whatever would tell it later.
    """
    with _stage() as stage:
        if first and isinstance(stage, Patient):
            remark(f"{first} …")
        elif first:
            stage.doing(first)
        yield


@contextmanager
def watching(heading: str, *, shown: bool = True, few: bool = False) -> Iterator[Watcher]:
    """Yields what is to be told of each training step: a function of `Progress`.

    A terminal shows it live, a notebook in one line, a pipe in lines. The heading appears with the first step. What
    rooms below say that they are doing is shown too.

    Args:
        heading: one line, "" for none.
        shown: False shows nothing.
        few: in a pipe, about ten lines a run on stderr instead of one for every logged step on stdout.
    """
    if not shown:
        yield lambda progress: None
        return
    with _stage() as stage:
        if isinstance(stage, OneLine):
            yield NotebookLine(stage, heading)
        elif isinstance(stage, Stage):
            yield LiveDisplay(stage, heading)
        else:
            yield _in_lines(stage, FewLines(heading) if few else PlainLines(heading))


@contextmanager
def counting(*, shown: bool = True) -> Iterator[Teller]:
    """Yields a function of (done, total, of what, *more) that shows how far sampling is.

    A pipe is told only what is being done, where it lasts.

    Args:
        shown: False shows nothing.
    """
    if not shown:
        yield _nothing
        return
    with _stage() as stage:
        if isinstance(stage, OneLine):
            line = stage
            yield _at_frames(lambda *told: line.show(_counted(*told)))
        elif isinstance(stage, Stage):
            live = stage
            yield _at_frames(lambda *told: live.show(_gauge(*told)))
        else:
            yield _nothing


def _in_lines(patient: Patient, lines: Watcher) -> Watcher:
    """Returns the lines of a pipe; a step ends what was being done before it."""

    def watch(progress: Progress) -> None:
        patient.end()
        lines(progress)

    return watch


def _nothing(done: int, total: int, left: str, *items: str) -> None:
    pass


def _counted(done: int, total: int, left: str, *items: str) -> str:
    return "   ".join((f"{done:,}/{total:,} {left}", *items))


def _gauge(done: int, total: int, left: str, *items: str) -> Gauge:
    return Gauge(done=done, total=total, left=left, items=items)


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
def _stage() -> Iterator[Stage | OneLine | Patient]:
    """Yields where things are shown, which hears what is being done."""
    if in_notebook():
        line = OneLine()
        with _ended(line.end), heard(line.doing):
            yield line
    elif is_terminal():
        from rich.live import Live

        with Live(console=console(), auto_refresh=False, transient=True) as live:
            stage = Stage(live)
            with _ended(stage.end), heard(stage.doing):
                yield stage
    else:
        patient = Patient()
        with _ended(patient.end), heard(patient.doing):
            yield patient


@contextmanager
def _ended(end: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    finally:
        end()

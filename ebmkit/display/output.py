"""Where words go: results to stdout, remarks to stderr; wrapped at words for a person's terminal, whole for a pipe."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING, TextIO

from ebmkit.display.processes import is_follower

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 100  # columns of a paragraph; longer lines are hard to read
NARROWEST = 30  # columns below which nothing is wrapped any more
NO_LIMIT = 10**9


def say(text: str = "", *, verbatim: bool = False) -> None:
    """Writes a result to stdout.

    Args:
        text: lines of it.
        verbatim: as it is, also where it is wider than the terminal: a file, or something to paste.
    """
    _write(text, sys.stdout, verbatim)


def remark(text: str) -> None:
    """Writes what is not part of the result to stderr."""
    _write(text, sys.stderr, verbatim=False)


def is_screen(stream: TextIO | None = None) -> bool:
    """Whether a person watches a stream (stdout) on a terminal of whatever kind."""
    return (stream or sys.stdout).isatty()


def is_terminal() -> bool:
    """Whether a person watches stdout on a terminal that can move its cursor."""
    return is_screen() and os.environ.get("TERM") != "dumb"


def columns(stream: TextIO | None = None) -> int:
    """Returns how many columns a line may have: those of the terminal, or as many as it takes in a pipe."""
    return max(NARROWEST, get_terminal_size().columns) if is_screen(stream) else NO_LIMIT


def console() -> Console:
    """Returns the rich console of a terminal; it respects NO_COLOR."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False)


def wrapped(line: str, width: int, hang: str = "  ") -> str:
    """Returns a line broken between words only, so that a name is never cut; what follows hangs by some spaces.

    >>> wrapped("  a name like two-words", 12)
    '  a name\\n    like\\n    two-words'
    """
    start = line[: len(line) - len(line.lstrip())]
    filled = textwrap.fill(
        line.strip(),
        width,
        initial_indent=start,
        subsequent_indent=start + hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled if len(line) > width else line


def paragraph(text: str, indent: int) -> None:
    """Writes indented text: wrapped on a terminal, one line a paragraph elsewhere."""
    width = min(WIDEST, columns()) if is_screen() else NO_LIMIT
    for line in text.splitlines():
        say(wrapped(" " * indent + line, width, hang=""), verbatim=True)


def command(label: str, text: str) -> None:
    """Writes a command to paste, after a label; where it has to be broken, the shell still takes it as one."""
    if len(label) + len(text) <= columns():
        say(label + text, verbatim=True)
        return
    say(label.rstrip())
    lines = wrapped("  " + text, columns() - 2).splitlines()
    say(" \\\n".join(lines), verbatim=True)


def packed(items: Sequence[str], width: int, between: str = "   ") -> list[str]:
    """Returns lines broken between items only, none wider than the width unless an item is.

    >>> packed(["gap 1.25", "moved 0.1", "accepted 1"], 22)
    ['gap 1.25   moved 0.1', 'accepted 1']
    """
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(between) + len(item) <= width:
            lines[-1] += between + item
        else:
            lines.append(item)
    return lines


def speak() -> None:
    """Lets this process speak although it is not the first of several: it is the one that knows what went wrong."""
    _speaking.append(True)


_speaking: list[bool] = []


def _write(text: str, stream: TextIO, verbatim: bool) -> None:
    if is_follower() and not _speaking:
        return
    width = NO_LIMIT if verbatim else columns(stream)
    lines = [wrapped(line, width) for line in text.split("\n")]
    print("\n".join(lines), file=stream, flush=True)

"""One line of a notebook that is written again and again; no widgets."""

from __future__ import annotations

import sys

WIDTH = 110
"""Characters of a line: a notebook has no width of its own, and wraps what is longer than its page."""


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook (Jupyter, Colab). Imports nothing."""
    ipython = sys.modules.get("IPython")
    asked = getattr(ipython, "get_ipython", None)
    shell = asked() if asked is not None else None
    return any(cls.__name__ == "ZMQInteractiveShell" for cls in type(shell).__mro__)


class OneLine:
    """A line of a notebook's output; what it showed last stays, unless it was passing.

    >>> line = OneLine()
    >>> line.show("one of two"), line.show("two"), line.end()  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._shown = ""
        self._is_passing = False

    def show(self, text: str, *, is_passing: bool = False) -> None:
        """Shows a text in place of the last one; a passing one is gone at the end."""
        text = text[:WIDTH]
        self._write("\r" + text.ljust(len(self._shown)))
        self._shown = text
        self._is_passing = is_passing

    def above(self, text: str) -> None:
        """Leaves a text above the line."""
        self._write("\r" + text.ljust(len(self._shown)) + "\n")
        self._shown = ""

    def end(self) -> None:
        """Ends the line."""
        if self._is_passing:
            self._write("\r" + " " * len(self._shown) + "\r")
        elif self._shown:
            self._write("\n")
        self._shown = ""

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

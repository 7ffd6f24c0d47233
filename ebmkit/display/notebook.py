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
    """A line of a notebook's output; the text that it showed last stays when it ends, and nothing else."""

    def __init__(self) -> None:
        self._kept = self._seen = ""

    def show(self, text: str) -> None:
        """Shows a text in place of the last one."""
        self._kept = text
        self._rewrite(text)

    def doing(self, what: str) -> None:
        """Shows what is being done."""
        self._rewrite(f"{what} …")

    def above(self, text: str) -> None:
        """Leaves a line above."""
        self._rewrite(text)
        self._write("\n")
        self._seen = ""

    def end(self) -> None:
        """Leaves the last text alone."""
        if self._seen != self._kept[:WIDTH]:
            self._rewrite(self._kept)
            self._write("" if self._kept else "\r")
        if self._kept:
            self._write("\n")
        self._kept = self._seen = ""

    def _rewrite(self, text: str) -> None:
        text = text[:WIDTH]
        self._write("\r" + text.ljust(len(self._seen)))
        self._seen = text

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

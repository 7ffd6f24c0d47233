"""Somebody who reads a page from top to bottom and does what it says, in one folder and one process."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from ebmkit.cli.main import main
from ebmkit.plugins import host
from tests.docs.blocks import Block, missing

Printed = Callable[[], str]
"""Returns what was printed since it was last asked."""


class Reader:
    """Runs the blocks of one page.

    Attributes:
        folder: where files are written and commands run.
        printed: what a shell block printed.
        module: holds the names of the page's Python.
        last: what the last shell block printed.
    """

    def __init__(self, folder: Path, printed: Printed) -> None:
        self.folder = folder
        self.printed = printed
        self.module = ModuleType("read_on_a_page")
        self.last = ""
        sys.modules[self.module.__name__] = self.module

    def close(self) -> None:
        """Forgets the names of the page."""
        del sys.modules[self.module.__name__]

    def do(self, block: Block) -> None:
        """Does what one block asks for; AssertionError where it does not come out."""
        if not block.runs:
            return
        if block.language == "sh":
            self._shell(block)
        elif block.language == "text" and block.title == "output":
            found = missing(block.code, self.last)
            assert not found, f"not printed: {found}\nbut:\n{self.last}"
        elif block.title:
            (self.folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / block.title).write_text(block.code, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.code, "<page>", "exec"), self.module.__dict__)

    def _shell(self, block: Block) -> None:
        self.printed()
        for program, *words in block.commands:
            if program == "ebmkit":
                host._host = None  # a command is a process of its own: it finds its plugins anew
                status = main(words)
                assert status == block.status, f"status {status} of {words}: {self.printed()}"
            elif program == "python" and words[0].endswith(".py"):
                runpy.run_path(str(self.folder / words[0]), run_name="__main__")
            else:
                raise AssertionError(
                    f"the tests cannot run '{program} {' '.join(words)}': title the block \"not tested: …\""
                )
        self.last = self.printed()

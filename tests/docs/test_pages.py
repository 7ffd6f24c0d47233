"""What the pages say runs: every Python and every shell block, from top to bottom."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.docs.blocks import NOT_RUN, PAGES, ROOT, Block, blocks
from tests.docs.reader import Reader
from tests.docs.shelf import Shelf

RUN = ("python", "sh")
WITH_CODE = [page for page in PAGES if any(b.runs and b.language in RUN for b in blocks(page))]
PROGRAMS = torch.__version__ >= (2, 9)  # torch 2.8 writes no .pt2, and a page says so
WALK_THROUGH = ROOT / "docs" / "plugins.md"  # its titled files are a package: test_plugin_package.py


@pytest.fixture(scope="session")
def shelf(tmp_path_factory) -> Shelf:
    """Returns the runs and files that reference pages speak of, each made when a page first needs it."""
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_a_page_runs(page: Path, shelf: Shelf, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("ebmkit.plugins.host._host", None)
    monkeypatch.setenv("MPLBACKEND", "agg")
    shelf.lend(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    reader = Reader(tmp_path, lambda: "".join(capfd.readouterr()))
    try:
        for block in blocks(page):
            if (page != WALK_THROUGH or not block.title) and (PROGRAMS or ".pt2" not in block.code):
                reader.do(block)
    finally:
        reader.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_block_that_does_not_run_says_why(page: Path):
    for block in blocks(page):
        assert block.runs or len(block.title.removeprefix(NOT_RUN)) > 5, f"{page.name}: {block.title}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_command_hides_in_a_block_of_another_language(page: Path):
    """A command in a `text` block would escape the tests; what a program printed may well name one."""
    plain = [b for b in blocks(page) if b.language in ("", "text", "bash", "shell", "console") and not b.title]
    assert [b.code for b in plain if b.code.startswith(("ebmkit ", "$ ", "pip ", "python "))] == []


def test_a_reader_notices_what_was_not_printed(tmp_path):
    reader = Reader(tmp_path, lambda: "step 20/2000  E 1.5\n")
    reader.last = reader.printed()
    reader.do(Block(language="text", title="output", code="…\nstep 3/30   E -2e-3\n…\n"))
    with pytest.raises(AssertionError, match="not printed"):
        reader.do(Block(language="text", title="output", code="step 3/30  F 2\n"))
    reader.close()


def test_a_reader_refuses_a_program_that_it_does_not_know(tmp_path):
    reader = Reader(tmp_path, str)
    with pytest.raises(AssertionError, match="title the block"):
        reader.do(Block(language="sh", title="", code="rm -r runs\n"))
    reader.close()

"""The code blocks of the documents, and how the tests run them.

Every Python and every shell block of README.md and docs/ runs, page by page, from top to bottom, in one empty folder:

- a Python block with a file name as its title is written to that file; one without is run;
- a line of a shell block that begins with `ebmkit` is run as a command, one that begins with `python FILE` as a script;
- a `text` block titled "output" must be what the shell block before it printed, whatever the numbers are; a line `…`
  stands for lines that are left out;
- `<!-- shorter in the tests: run --steps 30; eval -n 50 -->` adds words to the commands below it on the page;
- a shell block titled "fails with status N" must fail so;
- a block titled "not tested: REASON" is left alone. The reader sees the reason.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(
    r"<!-- shorter in the tests: (?P<shorter>.*?) -->"
    r"|^(?P<fence>`{3,})(?P<language>\w*)(?: title=\"(?P<title>.+?)\")?\n(?P<code>.*?)^(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)
NOT_RUN = "not tested: "
FAILS = "fails with status "
NUMBER = re.compile(r"[-−+]?\d[\d.,:]*(?:e[-+]?\d+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One code block.

    Attributes:
        language: as the page says, "" where it says none.
        title: as the page says, "" where it says none.
        code: what is in it.
        shorter: words that the tests add to a command, by its name.
    """

    language: str
    title: str
    code: str
    shorter: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether the tests run it, or hold it against what was printed."""
        return not self.title.startswith(NOT_RUN)

    @property
    def status(self) -> int:
        """The exit status that its commands must have."""
        return int(self.title.removeprefix(FAILS)) if self.title.startswith(FAILS) else 0

    @property
    def commands(self) -> list[list[str]]:
        """The words of each line of a shell block, those of the tests added."""
        lines = self.code.replace("\\\n", " ").splitlines()
        words = [shlex.split(line, comments=True) for line in lines]
        return [with_words(line, self.shorter.get(" ".join(line[1:2]), "").split()) for line in words if line]


def with_words(line: list[str], added: list[str]) -> list[str]:
    """Returns a command with further words; an option of one value that it has already is replaced.

    >>> with_words(["ebmkit", "sample", "run", "-n", "64", "--set", "a.b=1"], ["-n", "4", "--set", "a.c=2"])
    ['ebmkit', 'sample', 'run', '--set', 'a.b=1', '-n', '4', '--set', 'a.c=2']
    """
    taken = {word for word in added if word.startswith("-")} - {"--set"}
    gone = {i for i, word in enumerate(line) if word in taken}
    return [*(word for i, word in enumerate(line) if i not in gone and i - 1 not in gone), *added]


def blocks(page: Path) -> Iterator[Block]:
    """Yields the code blocks of a page in order."""
    shorter: dict[str, str] = {}
    for found in FENCE.finditer(page.read_text(encoding="utf-8")):
        if found["shorter"]:
            added = [part.strip().partition(" ") for part in found["shorter"].split(";")]
            shorter = {name: words for name, _, words in added}
        else:
            yield Block(
                language=found["language"], title=found["title"] or "", code=found["code"], shorter=dict(shorter)
            )


def pattern(line: str) -> str:
    """Returns a line without its numbers and the width of its columns.

    >>> pattern("step 10/2000   cd.gap -0.08  …")
    'step #/# cd.gap #'
    """
    return " ".join(NUMBER.sub("#", line.replace("…", "")).split())


def missing(shown: str, printed: str) -> list[str]:
    """Returns the lines that a page shows and that were not printed, whatever their numbers are."""
    known = {pattern(line) for line in printed.splitlines()}
    return [line for line in shown.splitlines() if line.strip(" …") and pattern(line) not in known]

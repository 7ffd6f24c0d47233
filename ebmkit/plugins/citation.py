"""Works that a declaration cites: one line of text each, which is also enough for BibTeX. Imports no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass

WORK = re.compile(
    r"(?P<authors>.+?) \((?P<year>\d{4})\)\. (?P<title>.+?[.?!])"
    r"(?: (?P<where>(?!arXiv:).+?)\.?)??(?: arXiv:(?P<arxiv>\d{4}\.\d{4,5})\.?)?"
)
"""Authors (year). Title. Where. arXiv:0000.00000"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A publication, or a program.

    Attributes:
        text: as it was written.
        authors: by full name.
        year: of publication, 0 where the text does not say it as it should.
        title: without a full stop.
        where: journal, conference, book or "technical report, INSTITUTION"; "" where it is on arXiv alone.
        arxiv: its number there, or "".
    """

    text: str
    authors: tuple[str, ...] = ()
    year: int = 0
    title: str = ""
    where: str = ""
    arxiv: str = ""

    @property
    def short(self) -> str:
        """The work in a few words: "Lee et al., Guiding energy-based …, ICLR 2023"."""
        if not self.year:
            return self.text
        names = [author.split()[-1] for author in self.authors]
        said = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
        return f"{said}, {self.title}, {self.where or f'arXiv:{self.arxiv}'} {self.year}"


def work(text: str) -> Work:
    """Returns the work of one line; a line of another form is kept as text alone.

    >>> found = work("Geoffrey E. Hinton (2002). Training products of experts. Neural Computation. arXiv:0000.00000")
    >>> found.authors, found.year, found.title, found.where, found.arxiv
    (('Geoffrey E. Hinton',), 2002, 'Training products of experts', 'Neural Computation', '0000.00000')
    """
    found = WORK.fullmatch(text.strip())
    if found is None:
        return Work(text=text.strip())
    return Work(
        text=text.strip(),
        authors=tuple(name.strip() for name in found["authors"].split(",")),
        year=int(found["year"]),
        title=found["title"].removesuffix("."),
        where=found["where"] or "",
        arxiv=found["arxiv"] or "",
    )


def works(cite: str) -> list[Work]:
    """Returns the works of `Component.cite`, which are separated by `"; "`."""
    return [work(text) for text in cite.split("; ") if text.strip()]


def itself(version: str) -> str:
    """Returns how ebmkit itself is cited; `CITATION.cff` says the same."""
    return (
        "The ebmkit authors (2026). ebmkit: interchangeable energies, samplers, buffers and objectives for "
        f"energy-based models. Version {version}."
    )

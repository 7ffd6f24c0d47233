"""Works as entries of a BibTeX file, in ASCII, so that every LaTeX takes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from ebmkit.plugins.citation import Work

CONFERENCES: Mapping[str, str] = {
    "CVPR": "IEEE Conference on Computer Vision and Pattern Recognition",
    "ICLR": "International Conference on Learning Representations",
    "ICML": "International Conference on Machine Learning",
    "NeurIPS": "Advances in Neural Information Processing Systems",
}
"""What conferences are called in full."""

BOOKS = ("Handbook", "Computing Science and Statistics", "Predicting Structured Data")
REPORT = "technical report"
ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u030c": "v", "\u0327": "c"}
SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
SPECIAL |= {mark: f"\\{mark}" for mark in "&%$#_{}"}
SPECIAL |= {"–": "--", "—": "---", "’": "'", "“": "``", "”": "''", "×": r"$\times$"}
SPECIAL |= {"ß": r"{\ss}", "ø": r"{\o}", "ł": r"{\l}"}


def bibtex(works: Iterable[Work]) -> str:
    """Returns one entry for every work, each once, with keys that are all different."""
    entries: dict[str, str] = {}
    for work in dict.fromkeys(works):
        key = base = key_of(work)
        count = 1
        while key in entries:
            count += 1
            key = f"{base}-{count}"
        entries[key] = _entry(key, work)
    return "\n\n".join(entries.values())


def key_of(work: Work) -> str:
    """Returns surname, year and the first word of the title."""
    if not work.year:
        words = work.text.split()[:3]
    elif _is_person(work.authors[0]):
        words = [work.authors[0].split()[-1], str(work.year), *work.title.split()[:1]]
    else:
        words = [*work.title.split()[:1], str(work.year)]
    plain = unicodedata.normalize("NFKD", "".join(words)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9-]", "", plain.lower()).strip("-") or "work"


def escaped(text: str) -> str:
    """Returns text for LaTeX, in ASCII: accents as commands, special characters escaped.

    >>> escaped("Bouchard-Côté & Ö")
    'Bouchard-C{\\\\^o}t{\\\\\\'e} \\\\& {\\\\"O}'
    """
    return "".join(SPECIAL.get(character) or _accented(character) for character in text)


def _accented(character: str) -> str:
    if character.isascii():
        return character
    base, *marks = list(unicodedata.normalize("NFKD", character))
    if len(marks) == 1 and marks[0] in ACCENTS and base.isascii():
        accent = ACCENTS[marks[0]]
        return f"{{\\{accent}{{{base}}}}}" if accent.isalpha() else f"{{\\{accent}{base}}}"
    return unicodedata.normalize("NFKD", character).encode("ascii", "replace").decode()


def protected(title: str) -> str:
    """Returns a title in which words keep their capitals: styles put the rest in small letters.

    >>> protected("Exponential convergence of Langevin distributions for GANs")
    'Exponential convergence of {Langevin} distributions for {GANs}'
    """
    first, *rest = title.split(" ")
    head = escaped(first) if first[1:] == first[1:].lower() else f"{{{escaped(first)}}}"
    return " ".join([head, *(escaped(word) if word == word.lower() else f"{{{escaped(word)}}}" for word in rest)])


def _entry(key: str, work: Work) -> str:
    kind, fields = _fields(work)
    lines = [f"  {name} = {{{value}}}," for name, value in fields]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


def _fields(work: Work) -> tuple[str, list[tuple[str, str]]]:
    if not work.year:
        return "misc", [("note", escaped(work.text))]
    kind, where = _where(work)
    fields = [("author", " and ".join(map(_name, work.authors))), ("title", protected(work.title)), *where]
    fields.append(("year", str(work.year)))
    if work.arxiv:
        fields += [("eprint", work.arxiv), ("archiveprefix", "arXiv")]
    return kind, fields


def _name(author: str) -> str:
    """Returns a name for BibTeX; one that is no person's stays together."""
    return escaped(author) if _is_person(author) else f"{{{escaped(author)}}}"


def _is_person(author: str) -> bool:
    return not author.startswith("The ")


def _where(work: Work) -> tuple[str, Iterable[tuple[str, str]]]:
    return next(_kinds(work.where))


def _kinds(where: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    if where in CONFERENCES:
        yield "inproceedings", [("booktitle", escaped(CONFERENCES[where]))]
    if where.startswith(BOOKS):
        yield "incollection", [("booktitle", escaped(where))]
    if where.lower().startswith(REPORT):
        yield "techreport", [("institution", escaped(where[len(REPORT) :].lstrip(", ") or "unknown"))]
    if where.lower().startswith("version "):
        yield "misc", [("note", escaped(where))]
    yield ("article", [("journal", escaped(where))]) if where else ("misc", [])

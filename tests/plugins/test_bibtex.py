"""Laws of BibTeX entries: ASCII, balanced braces, keys that differ, fields that every entry of its kind needs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.cli.citations import ITSELF
from ebmkit.plugins.bibtex import bibtex, escaped, key_of, protected
from ebmkit.plugins.citation import work, works
from ebmkit.plugins.host import host

NEEDED = {
    "article": {"author", "title", "journal", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "incollection": {"author", "title", "booktitle", "year"},
    "techreport": {"author", "title", "institution", "year"},
    "misc": set(),
}
ENTRY = re.compile(r"@(\w+)\{([\w-]+),\n((?:  \w+ = \{.*\},\n)+)\}")


def parsed(text: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Returns key → (kind, fields); every line must belong to an entry."""
    assert ENTRY.sub("", text).strip() == "" and text.isascii()
    found = {}
    for kind, key, lines in ENTRY.findall(text):
        fields = dict(re.findall(r"  (\w+) = \{(.*)\},", lines))
        for value in fields.values():
            plain = re.sub(r"\\[{}]", "", value)
            depths = [plain[:i].count("{") - plain[:i].count("}") for i in range(len(plain) + 1)]
            assert min(depths) == 0 and depths[-1] == 0, value
        assert key not in found
        found[key] = (kind, fields)
    return found


def test_every_shipped_work_is_an_entry_with_what_its_kind_needs() -> None:
    every = [one for component, _ in host().all() for one in works(component.cite)]
    entries = parsed(bibtex(every))
    assert len(entries) == len(set(every))
    for kind, fields in entries.values():
        assert fields.keys() >= NEEDED[kind]
    assert entries["hinton2002training"][0] == "article"
    assert entries["du2021improved"][1]["eprint"] == "2012.01316"
    assert entries["krizhevsky2009learning"][1]["institution"] == "University of Toronto"
    assert entries["lecun1998gradient-based"][1]["author"].split(" and ")[1] == r"L{\'e}on Bottou"


def test_ebmkit_itself() -> None:
    (key, (kind, fields)), *_ = parsed(bibtex([work(ITSELF)])).items()
    assert (key, kind, fields["author"]) == ("ebmkit2026", "misc", "{The ebmkit authors}")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=40))
def test_whatever_a_plugin_cites_is_an_entry(text: str) -> None:
    parsed(bibtex([work(text), work(f"Ann See (2020). T{text}. W{text}")]))


def test_two_works_of_one_key_differ_and_one_work_is_named_once() -> None:
    one, other = work("Ann See (2020). On it. ICML"), work("Ann See (2020). On that. ICML")
    assert list(parsed(bibtex([one, other, one]))) == ["see2020on", "see2020on-2"]


@pytest.mark.parametrize(
    ("text", "said"), [("50% & more_#1 {x}", r"50\% \& more\_\#1 \{x\}"), ("Čech Łódź", r"{\v{C}}ech ?{\'o}d{\'z}")]
)
def test_marks_of_latex(text: str, said: str) -> None:
    assert escaped(text) == said


def test_capitals_are_kept() -> None:
    assert protected("The MCMC of Gibbs") == "The {MCMC} of {Gibbs}" and protected("MCMC") == "{MCMC}"
    assert key_of(work("Élan Vítal (2020). Über all. ICML")) == "vital2020uber"

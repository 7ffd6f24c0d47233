"""Laws of citations: every one that is shipped can be read, and what cannot is kept as it is."""

from __future__ import annotations

import pytest

from ebmkit.plugins.citation import work, works
from ebmkit.plugins.host import host

SHIPPED = sorted({text for component, _ in host().all() for text in component.cite.split("; ") if text})


@pytest.mark.parametrize("text", SHIPPED)
def test_every_shipped_citation_can_be_read(text: str) -> None:
    found = work(text)
    assert found.year > 1900 and found.title and found.title[0].isupper() and not found.title.endswith(".")
    assert found.where or found.arxiv
    assert all(len(author.split()) > 1 for author in found.authors), "full names"
    assert ". " not in found.title and "arXiv" not in found.where


@pytest.mark.parametrize(
    ("text", "title", "where", "arxiv"),
    [
        ("A. B. See (2020). Why? ICML. arXiv:2001.00001", "Why?", "ICML", "2001.00001"),
        ("Ann See (2020). A title: with, commas (and more). Journal of A, Series B", "A title: with, commas (and more)",
         "Journal of A, Series B", ""),
        ("Ann See (2020). Alone. arXiv:2001.00001.", "Alone", "", "2001.00001"),
        ("Ann See (2020). A thesis.", "A thesis", "", ""),
    ],
)  # fmt: skip
def test_the_parts_of_a_citation(text: str, title: str, where: str, arxiv: str) -> None:
    found = work(text)
    assert (found.title, found.where, found.arxiv, found.year) == (title, where, arxiv, 2020)


def test_free_text_is_kept() -> None:
    found = work("somebody, somewhere")
    assert found.text == found.short == "somebody, somewhere" and found.year == 0
    assert [one.text for one in works("A; B")] == ["A", "B"] and works("") == []


def test_in_a_few_words() -> None:
    assert work("Ann See, Bo Lee (2020). Title. ICML").short == "See and Lee, Title, ICML 2020"
    assert (
        work("A See, B Lee, C Do (2020). Title. arXiv:2001.00001").short == "See et al., Title, arXiv:2001.00001 2020"
    )

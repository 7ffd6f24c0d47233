"""Laws of markup: text stays text, whatever it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ebmkit.evaluation.report.markup import Markup, tag, text
from tests.evaluation.report.reading import Page


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_read_back_and_opens_nothing(inside: str, attribute: str) -> None:
    html = tag("p", inside, title=attribute)
    page = Page(html)
    assert page.tags == ["p"] and page.wrong == []
    html.encode("utf-8")


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=60))
def test_printable_text_is_shown_as_it_is(inside: str) -> None:
    assert Page(tag("p", inside)).text == inside


def test_what_no_document_may_hold_is_replaced() -> None:
    assert text("a\x00b\x1bc\ud800") == "a\ufffdb\ufffdc\ufffd"


def test_markup_is_not_escaped_twice() -> None:
    assert text(Markup("<b>x</b>")) == "<b>x</b>"
    assert tag("p", [tag("b", "1 < 2"), None, "&"]) == "<p><b>1 &lt; 2</b>&amp;</p>"


def test_attributes() -> None:
    assert tag("line", x1=1, class_="a", stroke_width=2, hidden=True, d=None) == (
        '<line x1="1" class="a" stroke-width="2" hidden></line>'
    )

"""Reads a page as a browser would: what it fetches, what runs, whether it is well formed, what its drawings hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from math import isfinite

VOID = {"br", "col", "hr", "img", "link", "meta"}
FETCHING = {"src", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href"}
GEOMETRY = {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height"}
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Page(HTMLParser):
    """What there is in a page.

    Attributes:
        text: all text, style sheet aside.
        tags: names of the elements, in order.
        wrong: what a browser would have to repair, and numbers of drawings that are none.
        fetched: what it would fetch.
        anchors: targets of links within the page, and ids.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.style = "", ""
        self.tags: list[str] = []
        self.wrong: list[str] = []
        self.fetched: list[str] = []
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.handlers: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        if self._open:
            self.wrong.append(f"left open: {self._open}")
        self.fetched += re.findall(r"url\(|@import|https?:", self.style)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        else:
            self.text += data

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name.startswith("on"):
            self.handlers.append(name)
        if name == "id":
            self.ids.add(value)
        if name == "href":
            (self.links.add(value[1:]) if value.startswith("#") else self.fetched.append(value))
        if name in FETCHING and not value.startswith("data:image/png;base64,"):
            self.fetched.append(value)
        if name in GEOMETRY and not (NUMBER.fullmatch(value) and isfinite(float(value)) and abs(float(value)) < 1e5):
            self.wrong.append(f"<{tag} {name}={value!r}>")
        if name == "d" and re.search(r"[^MLHVZhvlmz\d\s.-]", value):
            self.wrong.append(f"path {value[:80]!r}")


def sound(html: str) -> Page:
    """Returns a page that is well formed, fetches nothing and runs nothing; fails otherwise."""
    page = Page(html)
    assert page.wrong == []
    assert page.fetched == [] and page.handlers == []
    assert "script" not in page.tags and "iframe" not in page.tags
    assert page.links <= page.ids
    return page

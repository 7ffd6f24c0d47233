"""HTML from Python: elements whose text and attributes are escaped, so that no name of a run can become markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that no HTML document may hold; a lone surrogate could not even be written."""
VOID = frozenset({"br", "col", "hr", "img", "link", "meta"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | Iterable["Content"] | None
"""Text (escaped), markup (as it is), several of them, or nothing."""


def text(value: str) -> Markup:
    """Returns text as HTML.

    >>> text("<b> & Co")
    '&lt;b&gt; &amp; Co'
    """
    return value if isinstance(value, Markup) else Markup(escape(CONTROL.sub("\ufffd", value), quote=True))


def tag(name: str, /, *children: Content, **attributes: object) -> Markup:
    """Returns an element.

    Args:
        name: of the element.
        *children: what it holds.
        **attributes: `class_` for class, `stroke_width` for stroke-width; None or False leaves one out, True gives it
            no value.

    >>> tag("a", "R&D", href='x"y', class_="k", hidden=True)
    '<a href="x&quot;y" class="k" hidden>R&amp;D</a>'
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{joined(children)}</{name}>")


def joined(children: Content) -> Markup:
    """Returns the HTML of some content."""
    if children is None:
        return Markup("")
    if isinstance(children, str):
        return text(children)
    return Markup("".join(joined(child) for child in children))


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{text(str(value))}"'

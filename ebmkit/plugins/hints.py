"""What was meant by the name of a part that nobody offers. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ebmkit.errors import did_you_mean
from ebmkit.plugins.component import KINDS, Component
from ebmkit.plugins.field_words import FIELD_WORDS


def what_was_meant(asked: str, parts: Sequence[Component], kind: str | None = None, more: Iterable[str] = ()) -> str:
    """Returns a sentence with a space before it on what a name may mean, "" where nothing comes near.

    Args:
        asked: the name that is not known.
        parts: all that are offered.
        kind: that was asked for; None for any.
        more: other names that would do.

    >>> what_was_meant("langevin", [], "sampler"), what_was_meant("Rings", [], "dataset")
    (" Did you mean 'sgld'?", " Did you mean 'toy:rings'?")
    """
    elsewhere = [part.kind for part in parts if part.name == asked and part.kind != kind]
    if elsewhere:
        return f" '{asked}' is a part of kind {elsewhere[0]}."
    words = [_words(one, parts) for one in KINDS if kind in (None, one)]
    others = [_words(one, parts) for one in KINDS if kind not in (None, one)]
    for known in (*words, *others):
        if _plain(asked) in known:
            return _said(known[_plain(asked)])
    return did_you_mean(asked, [*(part.name for part in parts if kind in (None, part.kind)), *more])


def _words(kind: str, parts: Sequence[Component]) -> Mapping[str, str]:
    """Returns plain word → what is meant by it, of the field's words, of aliases, and of the names themselves."""
    of_kind = [part for part in parts if part.kind == kind]
    found = {_plain(word): meant for word, meant in FIELD_WORDS.get(kind, {}).items()}
    found |= {_plain(alias): f"'{part.name}'" for part in of_kind for alias in part.aliases}
    return found | {_plain(part.name): f"'{part.name}'" for part in of_kind}


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _said(meant: str) -> str:
    return f" {meant}" if meant.endswith(".") else f" Did you mean {meant}?"

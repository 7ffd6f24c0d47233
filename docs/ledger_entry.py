"""An entry of the ledger."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A number of the documentation.

    Attributes:
        id: its name.
        pages: on which it stands.
        text: as it stands there, with the number in it.
        shown: the number in the text.
        value: with more digits.
        error: one standard error of a repetition on another machine; 0 where the number must come out alike.
        read: where the number is in told.json, as "METRIC: VALUE".
        commands: that make it, from the root of the repository; {out} is a folder.
        definition: what it is the number of, with seeds and counts.
        minutes: CPU time.
        date: when it was measured last.
        commit: at which.
    """

    id: str
    pages: tuple[str, ...]
    text: str
    shown: str
    value: float
    error: float
    read: str
    commands: tuple[str, ...]
    definition: str
    minutes: float
    date: str
    commit: str

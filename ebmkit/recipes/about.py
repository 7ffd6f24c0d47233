"""`[about]` of a recipe that others use: who looks after it, and when it last ran to its end."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import takewhile


@dataclass(frozen=True, kw_only=True, slots=True)
class AboutConfig:
    """`[about]`: of a recipe that others use. It speaks of the file, so a run does not take it over.

    Attributes:
        maintainer: who looks after it: a name, best with an address.
        last_green: day on which it last ran to its end.
        version: of the packages with which it did.
        ran: what was run: all of it, or what was cut.
    """

    maintainer: str = ""
    last_green: date | None = None
    version: str = ""
    ran: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What a recipe file says of itself, as a list of recipes shows it.

    Attributes:
        summary: first sentence of the comment that it begins with.
        maintainer: who looks after it, "" where nobody says so.
        last_green: day on which it last ran to its end, "" where nobody says so.
        stages: their names, in order.
    """

    summary: str
    maintainer: str
    last_green: str
    stages: tuple[str, ...] = ()


def said_by(text: str) -> Said:
    """Returns what the TOML text of a recipe says of itself. Nothing is refused: that is for those who run it.

    >>> said_by('# Rings. Slow.\\n[about]\\nmaintainer = "Ann"\\nlast_green = 2026-11-20\\n')
    Said(summary='Rings.', maintainer='Ann', last_green='2026-11-20', stages=())
    """
    block = takewhile(lambda line: line.startswith("#"), text.lstrip().splitlines())
    summary = re.split(r"(?<=\.) (?=[A-Z])", " ".join(line.strip("# ") for line in block), maxsplit=1)[0]
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raw = {}
    about, stages = raw.get("about", {}), raw.get("stage", [])
    if not isinstance(about, Mapping):
        about = {}
    names = (
        [str(stage.get("name")) for stage in stages if isinstance(stage, Mapping)] if isinstance(stages, list) else []
    )
    return Said(summary, str(about.get("maintainer", "")), str(about.get("last_green", "")), tuple(names))

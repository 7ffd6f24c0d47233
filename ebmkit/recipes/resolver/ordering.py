"""The order of parts that need each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from ebmkit.errors import CapabilityError


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """The words that a part needs, gives and hides."""

    needs: frozenset[str]
    gives: frozenset[str]
    hides: frozenset[str]


def ordered(words: Mapping[str, Capabilities]) -> list[str]:
    """Returns names so that a part comes after those that give what it needs, and before those that hide it.

    Ties go by name, so that the order in which parts were named makes no difference.

    Raises:
        CapabilityError: they need each other in a circle.
    """
    sorter = TopologicalSorter({name: sorted(_before(name, words)) for name in sorted(words)})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise CapabilityError(f"These parts would each have to come before another: {circle}.") from error
    return list(_levels(sorter))


def _before(name: str, words: Mapping[str, Capabilities]) -> Iterable[str]:
    own = words[name]
    for other, theirs in words.items():
        if other == name:
            continue
        given = {w for w in own.needs & theirs.gives if w not in own.gives or w not in theirs.needs}  # two may alter it
        hidden = theirs.needs & own.hides - own.gives
        if given or hidden:
            yield other


def _levels(sorter: TopologicalSorter[str]) -> Iterator[str]:
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        sorter.done(*ready)
        yield from ready

"""The versions of core that a plugin works with: its distribution says so, to pip and to us. Imports no torch."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint

from ebmkit.errors import PluginError
from ebmkit.version import __version__

CORE = "ebmkit-core"
NAME = re.compile(r"[A-Za-z0-9._-]+")


def core_range(entry: EntryPoint) -> str:
    """Returns the versions of core that the distribution of an entry point requires, "" for any: `>=0.1,<0.2`."""
    try:
        required = entry.dist.requires if entry.dist else None
    except Exception:  # its metadata are damaged: nothing is known
        return ""
    return ",".join(filter(None, (_asked(line) for line in required or () if _is_core(line))))


def refuse_other_core(asked: str, distribution: str, version: str = __version__) -> None:
    """Refuses a plugin that was made for other versions of core, before anything of it is imported.

    A pre-release of core counts as what comes before its release: 0.2.0rc1 is not in `>=0.2`, nor in `<0.2`.

    Args:
        asked: versions, as `core_range` returns them.
        distribution: name of the plugin's package, and its version.
        version: of core.

    Raises:
        PluginError: this core is none of them, or nobody can read which are meant.

    >>> refuse_other_core(">=0.1,<0.2", "ebmkit-clel 0.1.0", version="0.1.7")
    """
    if not asked:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        fits = SpecifierSet(asked).contains(version, prereleases=True)
    except InvalidSpecifier:
        raise PluginError(
            f"it requires {CORE} '{asked}', which is no range of versions; its author has to mend that, as >=0.1,<0.2"
        ) from None
    if not fits:
        raise PluginError(
            f"it requires {CORE} {asked}, and this is {version}; "
            f"install versions that fit: pip install --upgrade {CORE} {distribution.split()[0]}"
        )


def _is_core(requirement: str) -> bool:
    """Returns whether a line `Requires-Dist` asks for core, however its name is written."""
    name = NAME.match(requirement.strip())
    return name is not None and re.sub(r"[-_.]+", "-", name[0]).lower() == CORE


def _asked(requirement: str) -> str:
    """Returns the versions that a line asks for, "" where it holds for an extra or for another system only."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        read = Requirement(requirement)
    except InvalidRequirement:
        return NAME.sub("", requirement.strip(), count=1).strip()
    holds = read.marker is None or read.marker.evaluate({"extra": ""})
    return ",".join(sorted(map(str, read.specifier), reverse=True)) if holds else ""

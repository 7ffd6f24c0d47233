"""What a new plugin may be called."""

from __future__ import annotations

import re
from keyword import iskeyword

from ebmkit.errors import RecipeError
from ebmkit.plugins.component import KINDS
from ebmkit.plugins.host import Host
from ebmkit.plugins.wellformed import wrong_name

PREFIX = "ebmkit-"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 24
OWN_WORDS = ("declarations", "head", "no", "tests")
"""Names that the files of the package, or what they import, have already."""


def checked_name(asked: str, kind: str, found: Host) -> str:
    """Returns the name of the part in "NAME" or "ebmkit-NAME".

    Args:
        asked: what the user typed.
        kind: of the part.
        found: the plugins that are installed, whose names are taken.

    Raises:
        RecipeError: it is no name, or a name that exists already.
    """
    name = asked.removeprefix(PREFIX)
    wrong = wrong_letters(name) or wrong_name(kind, name, KINDS) or taken(name, found)
    if wrong:
        raise RecipeError(f"'{asked}' cannot be the name of a plugin: {wrong}.{_better(asked, name)}")
    return name


def wrong_letters(name: str) -> str:
    """Returns what is wrong with a name, "" where a package, a module, a class and a part can be called so.

    >>> wrong_letters("tamed-langevin"), wrong_letters("class")
    ('', 'it is a word of Python')
    """
    if not NAME.fullmatch(name):
        return "a name is small letters, digits and single dashes, and begins with a letter"
    if len(name) > LONGEST:
        return f"it has {len(name)} characters, and {LONGEST} are the most"
    if iskeyword(name) or iskeyword(name.title()):
        return "it is a word of Python"
    if name in OWN_WORDS:
        return "a file of the package is called so"
    return ""


def taken(name: str, found: Host) -> str:
    """Returns who has a name already, "" where it is free."""
    for part, plugin in found.find(name):
        return f"there is the {part.kind} '{name}' of {plugin.distribution}"
    for plugin in found.plugins:
        if name == plugin.name or plugin.distribution.split(" ")[0] == PREFIX + name:
            return f"there is the plugin '{plugin.name}' of {plugin.distribution}"
    for recipe, plugin in found.recipes():
        if recipe == f"{name}-example":
            return f"there is the recipe '{recipe}' of {plugin.distribution}"
    return ""


def _better(asked: str, name: str) -> str:
    """Returns a proposal with a space before it, "" where there is none."""
    plain = re.sub("[^a-z0-9]+", "-", asked.lower()).strip("-").removeprefix(PREFIX)
    return f" '{plain}' can." if plain != name and not wrong_letters(plain) else " Choose another one."

"""Options of one value that were given more than once: only the last would count, and the others vanish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ebmkit.errors import RecipeError


def check_given_once(app: Any, arguments: Sequence[str]) -> None:
    """Raises RecipeError where an option of a command that takes one value stands there twice.

    Args:
        app: all commands, as click knows them.
        arguments: of the command line, the name of the command first.
    """
    command = getattr(app, "commands", {}).get(arguments[0]) if arguments else None
    words = [word.partition("=")[0] for word in arguments]
    for option in command.params if command is not None else ():
        if option.param_type_name != "option" or option.multiple or option.is_flag:
            continue
        times = sum(words.count(name) for name in option.opts if name.startswith("--"))
        if times > 1:
            joined = "join several names by +, as in a+b" if "a+b" in (option.help or "") else "leave all but one out"
            raise RecipeError(f"{option.opts[0]} is given {times} times, and one would count: {joined}.")

"""Options of one value that were given more than once, of which one would count, or with another option as value."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ebmkit.errors import RecipeError


def check_given_once(app: Any, arguments: Sequence[str]) -> None:
    """Raises RecipeError where an option of one value stands there twice, or has the name of an option as its value.

    Args:
        app: all commands, as click knows them.
        arguments: of the command line, the name of the command first.
    """
    command = getattr(app, "commands", {}).get(arguments[0]) if arguments else None
    words = [word.partition("=")[0] for word in arguments]
    options = [option for option in command.params if option.param_type_name == "option"] if command is not None else []
    known = {name for option in options for name in (*option.opts, *option.secondary_opts) if name.startswith("--")}
    for option in options:
        values = {value for name, value in pairwise(arguments) if name in option.opts and not option.is_flag}
        if taken := known & values:
            raise RecipeError(f"{option.opts[0]} wants a value, and found {taken.pop()}: write the value after it.")
        if option.multiple or option.is_flag:
            continue
        times = sum(words.count(name) for name in option.opts if name.startswith("--"))
        if times > 1:
            joined = "join several names by +, as in a+b" if "a+b" in (option.help or "") else "leave all but one out"
            raise RecipeError(f"{option.opts[0]} is given {times} times, and one would count: {joined}.")

"""A data set as a person writes it: NAME or NAME:ARGUMENT."""

from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

from ebmkit.errors import RecipeError
from ebmkit.plugins.host import Host
from ebmkit.recipes.recipe import Part, parse_override


def data_part(text: str, host: Host) -> Part:
    """Returns the part of `--data NAME:ARGUMENT`; the argument is the first setting of the data set.

    >>> from ebmkit.plugins.host import host
    >>> data_part("toy:moons", host())
    Part(use='toy', settings={'density': 'moons'})
    """
    name, colon, argument = text.partition(":")
    config = host.get("dataset", name).config
    if not colon:
        return Part(name)
    if not fields(config):
        raise RecipeError(f"--data {text}: data set '{name}' has no settings, so it takes no ':{argument}'.")
    first = fields(config)[0].name
    return Part(name, {first: _read(argument, config, first)})


def _read(argument: str, config: type, field: str) -> object:
    """Returns the argument as text where the setting is text, else as the TOML value that it spells."""
    try:
        wanted = get_type_hints(config)[field]
    except (NameError, SyntaxError):  # a type of the plugin cannot be read: the check of the settings names it
        return argument
    if wanted in (int, float, bool):
        return parse_override(f"data.{field}={argument}")[1]
    return argument

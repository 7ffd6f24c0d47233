"""What a recipe of a stranger may hold: no more text, depth or digits than any recipe has use for."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from ebmkit.errors import RecipeError

MOST_TEXT = 2**20
"""Bytes of a recipe."""

MOST_DEPTH = 16
"""Tables and lists within each other."""

MOST_NUMBER = 2**63
"""Beyond every whole number, as in TOML itself."""


def toml_value(text: str, origin: str) -> dict[str, Any]:
    """Returns what a TOML text holds; raises RecipeError where it is none, or is too long or too deep."""
    if len(text) > MOST_TEXT:
        raise RecipeError(f"{origin} is longer than {MOST_TEXT:,} characters: it is no recipe.")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise RecipeError(f"{origin} is nested too deep: {MOST_DEPTH} tables and lists are the most.") from error
    except ValueError as error:  # of TOML, and of a number with too many digits
        raise RecipeError(f"{origin} is not valid TOML: {error}") from error


def check_values(value: object, origin: str) -> None:
    """Raises RecipeError where values are nested too deep, or a whole number is beyond 64 bits."""
    left = [(value, 0)]
    while left:
        found, depth = left.pop()
        if depth > MOST_DEPTH:
            raise RecipeError(f"{origin} is nested too deep: {MOST_DEPTH} tables and lists are the most.")
        if isinstance(found, Mapping):
            left.extend((inner, depth + 1) for inner in found.values())
        elif isinstance(found, (list, tuple)):
            left.extend((inner, depth + 1) for inner in found)
        elif isinstance(found, int) and abs(found) >= MOST_NUMBER:
            raise RecipeError(f"{origin} holds a whole number of {found.bit_length():,} bits: 63 are the most.")

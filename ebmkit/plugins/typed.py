"""Which part an object is the settings of. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass

from ebmkit.errors import RecipeError
from ebmkit.plugins.component import Component


def one_part(kind: str | None, config: object, parts: Iterable[Component]) -> Component:
    """Returns the part, of a kind or of any, that has declared the class of an object as its settings.

    Raises:
        RecipeError: there is none, or there are several.
    """
    found = [part for part in parts if part.config is type(config)]
    meant = [part for part in found if kind in (None, part.kind)]
    if len(meant) == 1:
        return meant[0]
    wanted = kind or "part"
    if meant:
        raise RecipeError(f"{config!r} could be {_named(meant)}. Give the name of the {wanted} instead.")
    if found:
        raise RecipeError(f"The {wanted} should be given, found {config!r}, the settings of {_named(found)}.")
    raise RecipeError(f"The {wanted} should be given, found {described(config)}")


def _named(parts: Sequence[Component]) -> str:
    return " or ".join(f"{part.kind} '{part.name}'" for part in parts)


def described(config: object) -> str:
    """Returns what was found that is nobody's settings, and what to write instead."""
    if isinstance(config, type) and is_dataclass(config):
        short = config.__name__.removesuffix("Config")
        return f"the class {short}. Write {short}(), with its settings between the brackets."
    if isinstance(config, type):
        return f"the class {config.__name__}. Give an object of it: {config.__name__}(…)."
    if config is None:
        return "None."
    return (
        f"{config!r}, whose class {type(config).__name__} no part has declared as its settings. Give a name, or "
        "settings such as ebmkit.samplers.Mala(step_size=0.1)."
    )

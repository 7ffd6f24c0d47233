"""Whole numbers that can only be a slip: a quintillion moves never end, and no memory holds as many rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from ebmkit.errors import RecipeError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MOST = 10**9
"""Of a setting that states no bound of its own: more steps, moves or rows than any run was ever asked for."""


def check_counts(config: DataclassInstance, settings: Mapping[str, object], where: str) -> None:
    """Raises RecipeError where a setting that somebody gave is a whole number beyond `MOST`, of either sign.

    Settings whose type states an upper bound of its own, as a seed's does, have that one.
    """
    hints = _hints(type(config))
    for key in settings:
        for number in _beyond(hints.get(key), getattr(config, key)):
            raise RecipeError(
                f"{where}: {key} = {number:,} can only be a slip: whole numbers up to {MOST:,} are taken here. "
                "Give a smaller one."
            )


def _beyond(hint: Any, value: object) -> Iterator[int]:
    """Yields the whole numbers of a value that are too large for its type."""
    if is_dataclass(value) and not isinstance(value, type):
        hints = _hints(type(value))
        for field in fields(value):
            yield from _beyond(hints.get(field.name), getattr(value, field.name))
    elif isinstance(value, (tuple, list)):
        for inner in value:
            yield from _beyond(hint, inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _beyond(hint, inner)
    elif isinstance(value, int) and abs(value) > MOST and not _is_bounded(hint):
        yield value


def _is_bounded(hint: Any) -> bool:
    """Whether a type says how large a number may be, as `Annotated[int, Le(12)]` and lists of it do."""
    said = getattr(hint, "__metadata__", ())
    if any(getattr(one, bound, None) is not None for one in said for bound in ("le", "lt")):
        return True
    return any(_is_bounded(inner) for inner in get_args(hint))


@cache
def _hints(config: type[Any]) -> Mapping[str, Any]:
    try:
        return get_type_hints(config, include_extras=True)
    except NameError:  # a plugin may import types for checking only; then no bound of its own is known
        return {}

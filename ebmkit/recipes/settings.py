"""Settings: from the TOML values of a recipe to a validated config dataclass, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from functools import cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from ebmkit.errors import PluginError, RecipeError, did_you_mean
from ebmkit.plugins.short_repr import changed
from ebmkit.recipes.counts import check_counts

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

C = TypeVar("C", bound="DataclassInstance")


def validated(config: type[C], settings: Mapping[str, object], where: str) -> C:
    """Returns an instance of a config dataclass.

    Types are taken strictly, as in "60" is no number and true is not 1; only 1e3 passes for an integer. Whole numbers
    that can only be a slip are refused, see `counts`.

    Raises:
        RecipeError: an unknown setting, a wrong type or a value out of range, naming where, what and what was found.
        PluginError: the config names a type that cannot be found, or that no setting can have.
    """
    _check_names(config, settings, where)
    for key, value in settings.items():
        if isinstance(value, float) and not isfinite(value):
            raise RecipeError(f"{where}: {key} must be a finite number, found {value}.")
    try:
        found: C = _adapter(config).validate_json(json.dumps(_whole(as_toml(settings)), default=str), strict=True)
    except ValidationError as error:
        raise RecipeError(f"{where}: {'; '.join(_problems(error))}.") from error
    except (PydanticUserError, SyntaxError) as error:
        raise PluginError(f"{where}: {_unreadable(config, error)}") from error
    for key, value in settings.items():
        if isinstance(value, Mapping) and is_dataclass(inner := getattr(found, key)) and not isinstance(inner, type):
            _check_names(type(inner), value, f"{where} {key}")
    check_counts(found, settings, where)
    return found


def settings_of(config: DataclassInstance) -> dict[str, object]:
    """Returns a config's fields as TOML values; unset (None) fields are left out."""
    return as_toml({f.name: getattr(config, f.name) for f in fields(config)})


def given(config: DataclassInstance, where: str) -> dict[str, object]:
    """Returns the settings of a config that differ from their defaults, as TOML values: those that somebody set.

    Raises:
        RecipeError: one is None that cannot be unset, or that TOML cannot hold.
    """
    settings = changed(config)
    for key, value in settings.items():
        if value is None:
            raise RecipeError(f"{where}: {key} cannot be None. Leave it out for its default.")
    return as_toml(settings)


def as_toml(settings: Mapping[str, object]) -> dict[str, object]:
    """Returns settings as TOML holds them: without None, with lists for tuples, tables for dataclasses, text for paths.

    Raises:
        RecipeError: a value that TOML cannot hold.

    >>> as_toml({"widths": (32, 64), "root": Path("data"), "crop": None})
    {'widths': [32, 64], 'root': 'data'}
    """
    return {str(key): _toml_value(value, str(key)) for key, value in settings.items() if value is not None}


def written(settings: Mapping[str, object]) -> str:
    """Returns settings in one line, as in `head = 'linear', moves = 20`."""
    return ", ".join(f"{key} = {value!r}" for key, value in as_toml(settings).items())


def _unreadable(config: type[Any], error: Exception) -> str:
    """Returns what is wrong with the annotations of a config, which no setting can mend."""
    named = f"{config.__module__}.{config.__qualname__}"
    if getattr(error, "code", "") == "class-not-fully-defined":
        return f"a type that {named} names cannot be found: import it in that module, outside of `if TYPE_CHECKING`."
    return f"the types of {named} are not those of settings: {(str(error).splitlines() or [''])[0].rstrip('.')}."


def _check_names(config: type[DataclassInstance], settings: Mapping[str, object], where: str) -> None:
    names = [f.name for f in fields(config)]
    for key in settings:
        if key not in names:
            raise RecipeError(
                f"{where} has no setting '{key}'.{did_you_mean(key, names)} Settings: {', '.join(names) or 'none'}."
            )


@cache
def _adapter(config: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(config)


def _toml_value(value: object, key: str) -> Any:
    if isinstance(value, (list, tuple)):
        return [_toml_value(v, key) for v in value]
    if isinstance(value, Mapping):
        return as_toml(value)
    if is_dataclass(value) and not isinstance(value, type):
        return settings_of(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (str, bool, int, float, datetime, date, time)):
        return value
    if callable(item := getattr(value, "item", None)) and getattr(value, "ndim", None) == 0:
        return item()  # a number of numpy or torch
    raise RecipeError(f"Setting '{key}': a recipe cannot hold {value!r}, of type {type(value).__name__}.")


def _whole(value: Any) -> Any:
    """Returns a TOML value with integers for floats like 1e3: a float setting takes them, an integer setting too."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_whole(v) for v in value]
    return {k: _whole(v) for k, v in value.items()} if isinstance(value, dict) else value


def _problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        place = ".".join(str(p) for p in problem["loc"])
        found = "" if problem["type"] == "missing" else f", found {problem['input']!r}"
        yield f"{place}: {problem['msg']}{found}" if place else f"{problem['msg']}"

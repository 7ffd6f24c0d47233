"""How the settings of a part print: as they were made. Imports no torch."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

C = TypeVar("C", bound="type[DataclassInstance]")


def short_repr(config: C) -> C:
    """Makes the instances of a config dataclass print as they were made; put it above `@dataclass`.

    Defaults are left out, and so is the "Config" that ends the name of the class.

    >>> from ebmkit.samplers import Mala
    >>> Mala(step_size=0.05, moves=20)
    Mala(step_size=0.05)
    """
    config.__repr__ = _as_made  # type: ignore[assignment,method-assign]
    return config


def changed(config: DataclassInstance) -> dict[str, Any]:
    """Returns the settings of a config that differ from their defaults, in order."""
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    return {field.name: values[field.name] for field in fields(config) if not _is_default(field, values[field.name])}


def _as_made(self: DataclassInstance) -> str:
    settings = ", ".join(f"{name}={value!r}" for name, value in changed(self).items())
    return f"{type(self).__name__.removesuffix('Config')}({settings})"


def _is_default(field: Field[Any], value: object) -> bool:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return default is not MISSING and type(value) is type(default) and value == default

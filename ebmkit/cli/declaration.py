"""What a declaration says, as text: settings with type, default and meaning; what it needs, gives and includes."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from ebmkit.plugins.component import Component, Include, Need, Selection

BOUNDS = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One field of a config dataclass, for reading.

    Attributes:
        name: of the field.
        type: in words.
        default: as it is written in a recipe; "unset", or "required".
        meaning: from the config's docstring, "" where that is silent.
    """

    name: str
    type: str
    default: str
    meaning: str


def settings_of(config: type) -> list[Setting]:
    """Returns the settings of a config dataclass, in order.

    >>> from ebmkit.samplers.declarations.langevin import SgldConfig
    >>> moves = settings_of(SgldConfig)[0]
    >>> moves.name, moves.type, moves.default, moves.meaning
    ('moves', 'int > 0, ≤ 1,000,000', '20', 'moves per transition.')
    """
    hints, meanings = _hints(config), attributes(config)
    return [
        Setting(name=f.name, type=in_words(hints[f.name]), default=_default(f), meaning=meanings.get(f.name, ""))
        for f in fields(config)
    ]


def attributes(config: type) -> dict[str, str]:
    """Returns name → meaning from the `Attributes:` section of the docstring, inherited ones included."""
    found: dict[str, str] = {}
    for cls in reversed(config.__mro__):
        found |= dict(_entries(inspect.cleandoc(cls.__doc__ or "").splitlines()))
    return found


def in_words(hint: object) -> str:
    """Returns a type annotation in words.

    >>> from annotated_types import Gt
    >>> in_words(Annotated[float, Gt(0)] | None), in_words(Literal["on", "off"]), in_words(tuple[int, ...])
    ('float > 0, or unset', '"on" | "off"', 'list of int')
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is type(None):
        return "unset"
    if origin is Annotated:
        return in_words(arguments[0]) + "".join(_bound(mark) for mark in arguments[1:])
    if origin is Literal:
        return " | ".join(_written(value) for value in arguments)
    if origin in (Union, types.UnionType):
        return ", or ".join(in_words(argument) for argument in arguments)
    if origin in (tuple, list):
        members = [argument for argument in arguments if argument is not Ellipsis]
        return "list of " + " and ".join(dict.fromkeys(in_words(member) for member in members))
    return str(getattr(hint, "__name__", hint))


def relations(component: Component) -> Iterator[tuple[str, str]]:
    """Yields (heading, text) of what a part needs, gives, hides and includes, as far as its default settings tell."""
    for setting, text in component.deprecated.items():
        yield f"{setting} deprecated".strip(), text
    for question, as_text in (("needs", _need), ("gives", str), ("includes", _include), ("hides", str)):
        depends = _depends(component, question)
        found = _asked(component, question)
        if found is None:
            yield question, "depends on its settings"
        elif found:
            yield question, ", ".join(as_text(item) for item in found) + (" (by default)" if depends else "")
    if component.optim:
        yield "optimiser", ", ".join(f"{key} = {_written(value)}" for key, value in component.optim.items())


def _depends(component: Component, question: str) -> bool:
    """Whether the answer depends on settings; what a sampler gives also follows from its traits."""
    return callable(getattr(component, question)) or (question == "gives" and callable(component.traits))


def _asked(component: Component, question: str) -> tuple[Any, ...] | None:
    if not _depends(component, question):
        return component.ask(question, None, Selection())
    if any(_default(f) == "required" for f in fields(component.config)):
        return None
    return component.ask(question, component.config(), Selection())


def _need(need: Need) -> str:
    under = ", ".join(f"{key} = {_written(value)}" for key, value in need.config.items())
    notes = [f"by default {need.default}" if need.default else "", f"under {under}" if under else ""]
    joined = "; ".join(note for note in notes if note)
    return f"{need.word} ({joined})" if joined else need.word


def _include(include: Include) -> str:
    place = f" before {include.before}" if include.before else ""
    return f"{include.kind} {include.name}{place}"


def _entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yields the entries of a Google-style `Attributes:` section; deeper lines continue an entry."""
    if "Attributes:" not in lines:
        return
    name, depth = "", 0
    words: list[str] = []
    for line in lines[lines.index("Attributes:") + 1 :]:
        indent = len(line) - len(line.lstrip())
        if line.strip() and not indent:
            break
        depth = depth or indent
        head, colon, rest = line.strip().partition(":")
        if indent == depth and colon and head.isidentifier():
            if name:
                yield name, " ".join(words)
            name, words = head, [rest.strip()]
        elif line.strip():
            words.append(line.strip())
    if name:
        yield name, " ".join(words)


def _hints(config: type) -> dict[str, Any]:
    try:
        return get_type_hints(config, include_extras=True)
    except NameError:  # a plugin may import its types for checking only
        return {f.name: f.type for f in fields(config)}


def _bound(mark: object) -> str:
    bounds = [f" {sign} {_number(value)}" for key, sign in BOUNDS if (value := getattr(mark, key, None)) is not None]
    least = getattr(mark, "min_length", None)
    return ",".join(bounds) + (f", at least {least}" if least else "")


def _number(value: float) -> str:
    """Returns a bound in full, 1,000,000 and not 1e+06; but for those that only keep a number within 64 bits."""
    return f"{value:,}" if isinstance(value, int) and value < 10**12 else f"{value:g}"


def _default(setting: Field[Any]) -> str:
    if setting.default is not MISSING:
        return _written(setting.default)
    if setting.default_factory is not MISSING:
        return _written(setting.default_factory())
    return "required"


def _written(value: object) -> str:
    if value is None:
        return "unset"
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        return str(value)

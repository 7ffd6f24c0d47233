"""What every declaration promises, whatever the kind of the part."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from ebmkit.plugins.component import Selection
from ebmkit.plugins.loading import load_build
from ebmkit.testing.check import CheckFailed
from ebmkit.testing.examined import Examined, Promise


def can_be_imported(part: Examined) -> None:
    """Raises PluginError where what builds a part cannot be imported."""
    load_build(part.component)


def says_what_it_is(part: Examined) -> None:
    """Raises CheckFailed where a declaration has no summary, or a config no account of a setting."""
    component = part.component
    if not component.summary.strip():
        raise CheckFailed("its summary is empty. Say in one line what it is: `ebmkit list` shows it.")
    text = "".join(base.__doc__ or "" for base in component.config.__mro__)
    silent = [name for name in sorted(part.setting_names) if f"{name}:" not in text]
    if silent and not component.config.__module__.startswith("ebmkit."):
        raise CheckFailed(
            f"setting '{silent[0]}' is not in the docstring of {component.config.__name__}. Say what it is and its "
            f"unit, under Attributes: `ebmkit show {component.name}` prints it."
        )


def defaults_are_constants(part: Examined) -> None:
    """Raises CheckFailed where a default can be changed, or is another for each config."""
    for setting in fields(part.component.config):
        if setting.default is MISSING and setting.default_factory is MISSING:
            continue
        first, second = (_default(setting) for _ in range(2))
        try:
            hash(first)
        except TypeError as error:
            raise CheckFailed(
                f"the default of '{setting.name}' is a {type(first).__name__}, which can be changed after the recipe "
                "is written down. Use a tuple, a number or text."
            ) from error
        if first is not second and first != second:
            raise CheckFailed(f"the default of '{setting.name}' differs from config to config. Make it a constant.")


def _default(setting: Any) -> object:
    return setting.default if setting.default_factory is MISSING else setting.default_factory()


def answers_are_words(part: Examined) -> None:
    """Raises PluginError where a declaration cannot say what it needs and gives, with its defaults."""
    component, selection = part.component, Selection()
    config = component.config(**part.settings)
    config = config.settled(selection) if hasattr(config, "settled") else config
    for question in ("needs", "gives", "includes", "hides"):
        component.ask(question, config, selection)
    for rule in ("skip", "refuse"):
        component.objection(rule, config, selection)
    if component.kind == "sampler":
        component.traits_of(config, selection)


PROMISES = (
    Promise(name="imports", text="what builds it can be imported", look=can_be_imported),
    Promise(name="documented", text="it and each of its settings say what they are", look=says_what_it_is),
    Promise(name="defaults", text="defaults are constants", look=defaults_are_constants),
    Promise(name="answers", text="it says what it needs and gives", look=answers_are_words),
)
"""Of every part."""

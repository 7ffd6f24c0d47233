"""What is wrong with the fields of a declaration, in words; "" where nothing is. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass

from ebmkit.protocols.traits import DERIVED, SamplerTraits

NAME = re.compile(r"(?!\d+$)[\w-]+", re.ASCII)
CHECKPOINTED = ("energy", "buffer", "tuning")


def wrong_name(kind: object, name: object, kinds: Sequence[str]) -> str:
    """Returns what is wrong with the kind or the name of a part."""
    if kind not in kinds:
        return f"its kind is '{kind}'; a kind is one of {', '.join(kinds)}"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f"a name is letters, digits, - and _, and not a number; found {name!r}"
    if kind == "objective" and name in CHECKPOINTED:
        return f"no objective can be called '{name}': a checkpoint keeps something else under that name"
    return ""


def wrong_aliases(aliases: object) -> str:
    """Returns what is wrong with other names of a part."""
    if isinstance(aliases, (tuple, list)) and all(isinstance(alias, str) for alias in aliases):
        return ""
    return f"aliases are a tuple of names, found {aliases!r}"


def wrong_config(config: object) -> str:
    """Returns what is wrong with a config class."""
    if not isinstance(config, type) or not is_dataclass(config) or not config.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return f"config must be a frozen dataclass, found {config!r}"
    if "use" in config.__dataclass_fields__:
        return "no setting can be called 'use': in a recipe it names the part"
    return ""


def wrong_deprecated(deprecated: object, config: type) -> str:
    """Returns what is wrong with what a declaration says of what will go."""
    if not isinstance(deprecated, Mapping) or not all(isinstance(text, str) and text for text in deprecated.values()):
        return f"deprecated is a mapping of setting → what to use instead, found {deprecated!r}"
    unknown = sorted(set(deprecated) - {"", *getattr(config, "__dataclass_fields__", ())})
    return f"deprecated names {unknown[0]!r}, and there is no such setting" if unknown else ""


def wrong_training(training: object, config: type) -> str:
    """Returns what is wrong with the settings that a declaration calls those of training."""
    if not isinstance(training, tuple) or not all(isinstance(name, str) for name in training):
        return f"training is a tuple of settings, found {training!r}"
    unknown = sorted(set(training) - set(getattr(config, "__dataclass_fields__", ())))
    return f"training names {unknown[0]!r}, and there is no such setting" if unknown else ""


def wrong_place(field: str, place: object) -> str:
    """Returns what is wrong with the "package.module:callable" in a field."""
    if not isinstance(place, str) or not all(place.partition(":")):
        return f"{field} is 'package.module:callable', found {place!r}"
    return ""


def wrong_answer(question: str, answer: object, kind: type) -> str:
    """Returns what is wrong with a tuple of some kind; a function that will return one is fine."""
    if callable(answer) or (isinstance(answer, (tuple, list)) and all(isinstance(item, kind) for item in answer)):
        return ""
    return f"{question} must be a tuple of {kind.__name__}, or a function that returns one; found {answer!r}"


def wrong_traits(kind: object, traits: object) -> str:
    """Returns what is wrong with the traits of a part; a function that will return them is fine."""
    if kind != "sampler":
        return "" if traits is None else f"traits are those of a sampler, and it is of kind '{kind}'"
    if isinstance(traits, SamplerTraits) or callable(traits):
        return ""
    return f"a sampler needs traits = SamplerTraits(…), or a function that returns them; found {traits!r}"


def wrong_of_observer(kind: object, **asked: object) -> str:
    """Returns what is wrong with what an observer asks of others: a run is the same with it and without it."""
    said = [question for question, answer in asked.items() if answer]
    if kind != "observer" or not said:
        return ""
    return f"an observer changes nothing of a run, so it has no {' and no '.join(said)}; where it cannot work, refuse"


def derived_words(answer: object) -> str:
    """Returns what is wrong with the words that a sampler gives: some follow from its traits alone."""
    said = [word for word in answer if word.startswith(DERIVED)] if isinstance(answer, (tuple, list)) else []
    return f"{', '.join(said)} follows from a sampler's traits: leave it out of gives" if said else ""

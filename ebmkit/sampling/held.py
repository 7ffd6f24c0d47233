"""What each chain holds: values of coordinates and latents, one for all chains or one for each class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmkit.errors import RecipeError
from ebmkit.sampling.given import LABEL, class_index, condition, givable, takes_label
from ebmkit.sampling.model import Model

ALL = "all"
"""How every class is asked for: label=all, latent=class:all."""

EVERY_CLASS = re.compile(r"\bclass:all(?=[*,]|$)")
ONE_CLASS = re.compile(r"\bclass:([^*,]+)")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Held:
    """What chains hold.

    Attributes:
        values: coordinate → one row for each chain.
        names: what each chain was given, in words; empty where that names no class.
    """

    values: Mapping[str, Tensor]
    names: tuple[str, ...] = ()


def held_by(model: Model, given: Mapping[str, str], strength: float | None, n: int) -> Held:
    """Returns what n chains hold.

    Where every class is asked for, class k of K is given to the chains ⌈kn/K⌉ … ⌈(k + 1)n/K⌉ − 1: blocks whose sizes
    differ by at most one.

    Raises:
        RecipeError: a name or value makes no sense for this model, or it has no classes.
    """
    texts = {name: str(value) for name, value in given.items()}
    groups = _one_for_each_class(model, texts) if _asks_every_class(texts) else [texts]
    if n < len(groups):
        raise RecipeError(f"Every class is asked for, and there are {len(groups)} of them: ask for {len(groups)} "
                          f"chains or more (-n), found {n}.")  # fmt: skip
    which = torch.arange(n) * len(groups) // n
    found = [condition(model, group, strength) for group in groups]
    values = {name: torch.stack([one[name] for one in found])[which.to(found[0][name].device)] for name in texts}
    names = [_in_words(model, group) for group in groups]
    return Held(values=values, names=tuple(names[i] for i in which.tolist()) if any(names) else ())


def class_name(model: Model, index: int) -> str:
    """Returns what a class is called, its number where it has no name."""
    names = model.data.class_names
    return names[index] if index < len(names) else f"class {index}"


def names_of_labels(model: Model, aux: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Returns the class of each chain whose label was drawn; empty where the model has none."""
    has_label = any(coordinate.name == LABEL for coordinate in model.coordinates) and LABEL in aux
    return tuple(class_name(model, label) for label in aux[LABEL].tolist()) if has_label else ()


def _asks_every_class(texts: Mapping[str, str]) -> bool:
    return texts.get(LABEL) == ALL or bool(EVERY_CLASS.search(texts.get("latent", "")))


def _one_for_each_class(model: Model, texts: Mapping[str, str]) -> list[dict[str, str]]:
    n = model.data.n_classes
    if not n:
        asked = ", ".join(f"{name}={text}" for name, text in texts.items())
        raise RecipeError(f"--given {asked}: the data of this run have no classes to take one after the other.")
    if texts.get(LABEL) == ALL and not takes_label(model):
        names = givable(model)
        hint = " Its classes, one after the other: latent=class:all." if "latent" in names else ""
        raise RecipeError(f"--given label=all: this run can be given {', '.join(names) or 'nothing'}.{hint}")
    groups = [dict(texts) for _ in range(n)]
    for index, group in enumerate(groups):
        spelt = model.data.class_names[index] if str(index) in model.data.class_names else str(index)
        if group.get(LABEL) == ALL:
            group[LABEL] = spelt
        if "latent" in group:
            group["latent"] = EVERY_CLASS.sub(f"class:{spelt}", group["latent"])
    return groups


def _in_words(model: Model, group: Mapping[str, str]) -> str:
    """Returns the classes that a group was given, "" where it was given none."""

    def spelt(text: str) -> str:
        return class_name(model, class_index(model, text, f"class:{text}"))

    words = [spelt(group[LABEL])] if LABEL in group else []
    if "latent" in group:
        words.append(ONE_CLASS.sub(lambda found: spelt(found[1]), group["latent"]))
    return ", ".join(words)

"""The checks of a part, by its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from ebmkit.errors import EbmkitError, RecipeError, did_you_mean
from ebmkit.plugins.component import Component
from ebmkit.plugins.loading import load_build
from ebmkit.recipes.settings import validated
from ebmkit.testing import (
    buffers,
    coordinates,
    datasets,
    declarations,
    energies,
    metrics,
    objectives,
    observers,
    samplers,
)
from ebmkit.testing.check import Check, NotApplicable
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.found import Asked, parts_in, recipes_in
from ebmkit.testing.recipes import recipe_checks

PROMISES: Mapping[str, tuple[Promise, ...]] = {
    "energy": energies.PROMISES,
    "wrapper": energies.OF_WRAPPERS,
    "coordinate": coordinates.PROMISES,
    "sampler": samplers.PROMISES,
    "buffer": buffers.PROMISES,
    "objective": objectives.PROMISES,
    "dataset": datasets.PROMISES,
    "metric": metrics.PROMISES,
    "observer": observers.PROMISES,
}
"""Kind → what its parts promise, beside what every declaration does."""

Settings = Mapping[str, Mapping[str, object]]


def checks_for(
    asked: Asked | Iterable[Component], *, settings: Settings | None = None, expected: Mapping[str, str] | None = None
) -> list[Check]:
    """Returns every check of the parts that are meant, named "PART/CHECK", and of the recipes beside them.

    Args:
        asked: a declaration or several, a distribution, a plugin's name, or a file "mine.py".
        settings: name of a part → settings under which it is looked at; unset, its defaults. Where parts of two kinds
            share a name, "KIND.NAME".
        expected: name of a check → the reason why it is known to fail. It fails where it passes.

    Raises:
        PluginError: there is nothing of that name, or it cannot be loaded.
        RecipeError: a part, a setting or a check is named that is not there, or a value is none of a setting.
    """
    parts = _labelled(parts_in(asked))
    chosen = settings or {}
    _known("part", chosen, list(parts))
    reasons = expected or {}
    checks = []
    for label, part in parts.items():
        own = chosen.get(label, {})
        validated(part.config, own, f"Part '{label}'")
        examined = Examined(component=part, settings={name: _fixed(value) for name, value in own.items()})
        looks = [(promise, promise.look) for promise in declarations.PROMISES]
        looks += [(promise, partial(_if_imported, promise.look)) for promise in PROMISES.get(part.kind, ())]
        for promise, look in looks:
            name, body = f"{label}/{promise.name}", partial(look, examined)
            told = promise in declarations.PROMISES
            checks.append(
                Check(name=name, promise=promise.text, body=body, expected=reasons.get(name, ""), of_declaration=told)
            )
    for check in recipe_checks(recipes_in(asked)):
        checks.append(replace(check, expected=reasons.get(check.name, "")))
    _known("check", reasons, [check.name for check in checks])
    return checks


def _if_imported(look: Callable[[Examined], None], part: Examined) -> None:
    """Looks at a part that can be imported; whether it can is a check of its own."""
    try:
        load_build(part.component)
    except EbmkitError as error:
        raise NotApplicable("what builds it cannot be imported") from error
    look(part)


def _labelled(parts: Iterable[Component]) -> dict[str, Component]:
    """Returns the parts by name; by "KIND.NAME" where parts of two kinds share a name."""
    found = tuple(parts)
    names = [part.name for part in found]
    return {part.name if names.count(part.name) == 1 else f"{part.kind}.{part.name}": part for part in found}


def _fixed(value: object) -> object:
    return tuple(_fixed(one) for one in value) if isinstance(value, (list, tuple)) else value


def _known(what: str, asked: Iterable[str], known: list[str]) -> None:
    for name in asked:
        if name not in known:
            raise RecipeError(
                f"There is no {what} '{name}' here.{did_you_mean(name, known)} Known: {', '.join(known)}."
            )

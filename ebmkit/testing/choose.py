"""The checks of a part, by its kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from ebmkit.errors import RecipeError, did_you_mean
from ebmkit.plugins.component import Component
from ebmkit.testing import buffers, coordinates, datasets, declarations, energies, metrics, objectives, samplers
from ebmkit.testing.check import Check
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.found import Asked, parts_in

PROMISES: Mapping[str, tuple[Promise, ...]] = {
    "energy": energies.PROMISES,
    "wrapper": energies.OF_WRAPPERS,
    "coordinate": coordinates.PROMISES,
    "sampler": samplers.PROMISES,
    "buffer": buffers.PROMISES,
    "objective": objectives.PROMISES,
    "dataset": datasets.PROMISES,
    "metric": metrics.PROMISES,
}
"""Kind → what its parts promise, beside what every declaration does."""

Settings = Mapping[str, Mapping[str, object]]


def checks_for(
    asked: Asked | Iterable[Component], *, settings: Settings | None = None, expected: Mapping[str, str] | None = None
) -> list[Check]:
    """Returns every check of the parts that are meant, named "PART/CHECK".

    Args:
        asked: a declaration or several, a distribution, a plugin's name, or a file "mine.py".
        settings: name of a part → settings under which it is looked at; unset, its defaults.
        expected: name of a check → the reason why it is known to fail. It fails where it passes.

    Raises:
        PluginError: there is nothing of that name, or it cannot be loaded.
        RecipeError: a part or a check is named that is not there.
    """
    parts = parts_in(asked)
    _known("part", settings or {}, [part.name for part in parts])
    reasons = expected or {}
    checks = [
        Check(
            name=f"{part.name}/{promise.name}",
            promise=promise.text,
            body=partial(promise.look, Examined(component=part, settings=(settings or {}).get(part.name, {}))),
            expected=reasons.get(f"{part.name}/{promise.name}", ""),
        )
        for part in parts
        for promise in (*declarations.PROMISES, *PROMISES.get(part.kind, ()))
    ]
    _known("check", reasons, [check.name for check in checks])
    return checks


def _known(what: str, asked: Iterable[str], known: list[str]) -> None:
    for name in asked:
        if name not in known:
            raise RecipeError(
                f"There is no {what} '{name}' here.{did_you_mean(name, known)} Known: {', '.join(known)}."
            )

"""Parts that a Python program built itself and hands over: what the resolver may know of them. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ebmkit.errors import PluginError, RecipeError
from ebmkit.plugins.component import Component


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenConfig:
    """What a recipe can say of a part that a program handed over.

    Attributes:
        given: its class, as "module.Class".
    """

    given: str


def name_of(built: object, taken: Collection[str] = ()) -> str:
    """Returns what a part that was handed over is called: its class in small letters, and apart from taken names.

    >>> class MyNet: ...
    >>> name_of(MyNet()), name_of(MyNet(), {"my-net"}), name_of(lambda x: x)
    ('my-net', 'own-my-net', 'function')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", type(built).__name__).lower()
    name = re.sub(r"[^a-z0-9-]", "", words) or "part"
    while name in taken:
        name = f"own-{name}"
    return name


def origin_of(built: object) -> str:
    """Returns "module.Class" of a part."""
    kind = type(built)
    return f"{kind.__module__}.{kind.__qualname__}"


def given_component(kind: str, name: str, built: Any) -> Component:
    """Returns a declaration that says of a built part what the part says of itself.

    Raises:
        PluginError: it lacks what is read of its kind.
    """
    try:
        known = KNOWN.get(kind, lambda part: {})(built)
    except AttributeError as error:
        if isinstance(built, dict):
            raise PluginError(
                f"A dictionary was given as {kind}. Give its name, settings as in ebmkit.samplers.Mala(moves=5), or "
                'what was built; settings by name go into settings={"KIND.NAME.SETTING": value}.'
            ) from error
        article = "An" if kind[0] in "aeiou" else "A"
        raise PluginError(f"{article} {kind} was given, {origin_of(built)}, which is none: {error}.") from error
    return Component(
        kind=kind,
        name=name,
        config=GivenConfig,
        build="ebmkit.plugins.given:refuse",  # never called: the part is there
        summary=f"{origin_of(built)}, of a Python program",
        **known,
    )


def absent_component(kind: str, name: str) -> Component:
    """Returns a declaration of a part that was handed over, and is not here: it cannot be built."""
    return Component(kind=kind, name=name, config=GivenConfig, build="ebmkit.plugins.given:refuse", summary="absent")


def refuse(config: GivenConfig, context: object) -> Any:
    """Raises RecipeError: what a program handed over is not here."""
    raise RecipeError(
        f"{config.given} was handed over by a Python program, and a recipe cannot hold it. Hand it over again: "
        "ebmkit.resume(DIR, given={'data': x})."
    )


def _energy(built: Any) -> Mapping[str, Any]:
    abilities = sorted(set(getattr(built, "abilities", ())) - {"energy"})
    return {"gives": (*(f"energy.{word}" for word in abilities), *getattr(built, "gives", ()))}


def _sampler(built: Any) -> Mapping[str, Any]:
    return {"traits": built.traits}


def _objective(built: Any) -> Mapping[str, Any]:
    return {"negatives": built.requires.negatives}


def _coordinate(built: Any) -> Mapping[str, Any]:
    noised = ("point.noised",) if built.noises_x else ()
    return {"gives": (*noised, *(("point.discrete",) if built.n_values else ()))}


def _buffer(built: Any) -> Mapping[str, Any]:
    return {"gives": ("buffer.rows",) if len(built) else ()}


def _dataset(built: Any) -> Mapping[str, Any]:
    return {"gives": () if built.x_values == "real" else ("data.discrete",)}


KNOWN: Mapping[str, Callable[[Any], Mapping[str, Any]]] = {
    "energy": _energy,
    "sampler": _sampler,
    "objective": _objective,
    "coordinate": _coordinate,
    "buffer": _buffer,
    "dataset": _dataset,
}
"""What is read of a built part of each kind."""

"""Parts as a Python program asks for them: by name, by settings, or built by itself and handed over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import is_dataclass
from typing import Any

from torch import nn

from ebmkit.energies.wrap import as_energy
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.given import name_of, origin_of
from ebmkit.plugins.host import Host
from ebmkit.plugins.typed import described
from ebmkit.prior import Fresh
from ebmkit.protocols.energy import Energy
from ebmkit.recipes.data_part import data_part
from ebmkit.recipes.recipe import Part, kind_of, part_of
from ebmkit.rng import stream

Asked = str | object
"""A part as a program asks for it: names, as in "a+b", settings, as in `Mala(moves=5)`, a built part, or a list."""


def asked_parts(table: str, asked: Asked, host: Host) -> tuple[Part, ...]:
    """Returns the parts of a table that a program asks for.

    Args:
        table: of the recipe.
        asked: what it asks for.
        host: where declarations come from.

    Raises:
        RecipeError: a config belongs to no part of this kind, or a name is missing.
    """
    items = asked if isinstance(asked, (list, tuple)) else [asked]
    return tuple(part for item in items for part in _asked(table, item, host))


def _asked(table: str, asked: Asked, host: Host) -> Iterable[Part]:
    kind = kind_of(table)
    if asked is None or isinstance(asked, type):
        raise RecipeError(f"The {kind} should be given, found {described(asked)}")
    if isinstance(asked, Part):
        return [asked]
    if isinstance(asked, str):
        return [data_part(asked, host)] if kind == "dataset" else [Part(name) for name in _names(kind, asked)]
    if is_dataclass(asked) and not isinstance(asked, type) and _is_config(asked, host):
        return [part_of(kind, asked)]
    return [given_part(table, asked, host)]


def _names(kind: str, asked: str) -> list[str]:
    names = [name.strip() for name in asked.split("+")]
    if not all(names):
        raise RecipeError(f"The {kind} '{asked}': a name is missing. Write names joined by +, as in a+b.")
    return names


def _is_config(asked: object, host: Host) -> bool:
    return any(component.config is type(asked) for component, _ in host.all())


def given_part(table: str, built: object, host: Host) -> Part:
    """Returns a part of a recipe that is the very object that a program handed over."""
    name = name_of(built, host.names(kind_of(table)))
    return Part(name, {"given": origin_of(built)}, built)


def given_energy(part: Part, context: BuildContext, *, is_another: bool) -> Energy:
    """Returns the energy of a network that was handed over, on the device of the run; it is not copied.

    Args:
        part: with the network.
        context: of the run.
        is_another: a wrapper wants one more of it, or one of another event shape.

    Raises:
        CapabilityError: there is one network, and another is wanted; or it cannot be asked for energies of such x.
    """
    if is_another:
        raise CapabilityError(
            f"A wrapper wants to build several networks, but energy {part.use} was handed over, and there is one of "
            "it. Leave the wrapper out, or name an energy: mlp, resnet or one of your own plugin."
        )
    built: Any = part.built
    if isinstance(built, nn.Module):
        built.to(context.device)
    chains = Fresh(context)(2, stream(context.seed, 0, "given energy", context.device))
    energy: Energy = as_energy(built, chains)
    return energy

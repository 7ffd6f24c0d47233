"""Plugin zero: core's own parts, offered through the same door as everyone's."""

from __future__ import annotations

from collections.abc import Iterable

from ebmkit.buffers import parts as buffers
from ebmkit.components import Component
from ebmkit.coordinates import parts as coordinates
from ebmkit.data import parts as data
from ebmkit.energies import parts as energies
from ebmkit.hookspecs import hookimpl
from ebmkit.objectives import parts as objectives
from ebmkit.samplers import exact_parts, more_parts
from ebmkit.samplers import parts as samplers


@hookimpl
def ebmkit_components() -> Iterable[Component]:
    """Returns every part of core."""
    for package in (energies, coordinates, samplers, exact_parts, more_parts, buffers, objectives, data):
        yield from package.COMPONENTS

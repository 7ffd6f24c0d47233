"""Plugin zero: core's own parts, offered through the same door as everyone's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ebmkit.buffers import declarations as buffers
from ebmkit.coordinates import declarations as coordinates
from ebmkit.data import declarations as data
from ebmkit.energies import declarations as energies
from ebmkit.metrics import declarations as metrics
from ebmkit.objectives.declarations import contrastive, noise_contrastive, score_matching
from ebmkit.plugins.component import Component
from ebmkit.plugins.hookspecs import hookimpl
from ebmkit.samplers.declarations import augment, gibbs, langevin, metropolis, tempering

SAMPLERS = (langevin, metropolis, gibbs, tempering, augment)
OBJECTIVES = (contrastive, score_matching, noise_contrastive)

RECIPES = Path(__file__).parent / "recipes" / "shipped"
"""Those of the objectives without chains, in the plane and on garments."""


@hookimpl
def ebmkit_components() -> Iterable[Component]:
    """Returns every part of core."""
    for declarations in (energies, coordinates, *SAMPLERS, buffers, *OBJECTIVES, data, *metrics.GROUPS):
        yield from declarations.COMPONENTS

"""Objectives: what a training step minimises.

The names below are the settings of the parts, typed, the same as in a recipe; they import no torch. What is built from
them is in the modules of this package.
"""

from ebmkit.objectives.declarations import CdConfig as Cd
from ebmkit.objectives.declarations import EnergyL2Config as EnergyL2

__all__ = [
    "Cd",
    "EnergyL2",
]

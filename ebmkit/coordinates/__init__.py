"""Coordinates: what a chain state holds beyond x.

The names below are the settings of the parts, typed, the same as in a recipe; they import no torch. What is built from
them is in the modules of this package.
"""

from ebmkit.coordinates.declarations import LabelConfig as Label
from ebmkit.coordinates.declarations import MomentumConfig as Momentum
from ebmkit.coordinates.declarations import ReplicasConfig as Replicas

__all__ = [
    "Label",
    "Momentum",
    "Replicas",
]

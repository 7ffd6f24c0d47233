"""Samplers: pure transitions over points.

The names below are the settings of the parts, typed, the same as in a recipe; they import no torch. What is built from
them is in the modules of this package.
"""

from ebmkit.samplers.declarations.augment import AugmentConfig as Augment
from ebmkit.samplers.declarations.gibbs import GibbsConfig as Gibbs
from ebmkit.samplers.declarations.gibbs import GibbsWithGradientsConfig as GibbsWithGradients
from ebmkit.samplers.declarations.langevin import SgldConfig as Sgld
from ebmkit.samplers.declarations.langevin import UnderdampedConfig as Underdamped
from ebmkit.samplers.declarations.metropolis import HmcConfig as Hmc
from ebmkit.samplers.declarations.metropolis import MalaConfig as Mala
from ebmkit.samplers.declarations.metropolis import NutsConfig as Nuts
from ebmkit.samplers.declarations.tempering import TemperingConfig as Tempering

__all__ = [
    "Augment",
    "Gibbs",
    "GibbsWithGradients",
    "Hmc",
    "Mala",
    "Nuts",
    "Sgld",
    "Tempering",
    "Underdamped",
]

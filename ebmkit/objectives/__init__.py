"""Objectives: what a training step minimises.

The names below are the settings of the parts, typed, the same as in a recipe; they import no torch. What is built from
them is in the modules of this package.
"""

from ebmkit.objectives.declarations.contrastive import CdConfig as Cd
from ebmkit.objectives.declarations.contrastive import EnergyL2Config as EnergyL2
from ebmkit.objectives.declarations.noise_contrastive import (
    ConditionalNoiseContrastiveConfig as ConditionalNoiseContrastive,
)
from ebmkit.objectives.declarations.noise_contrastive import NoiseContrastiveConfig as NoiseContrastive
from ebmkit.objectives.declarations.score_matching import DenoisingScoreMatchingConfig as DenoisingScoreMatching
from ebmkit.objectives.declarations.score_matching import SlicedScoreMatchingConfig as SlicedScoreMatching

__all__ = [
    "Cd",
    "ConditionalNoiseContrastive",
    "DenoisingScoreMatching",
    "EnergyL2",
    "NoiseContrastive",
    "SlicedScoreMatching",
]

"""Diffusion-assisted, persistently trained energy-based models for ebmkit (Zhang, Tan, Ou, Stat 2023)."""

from __future__ import annotations

from ebmkit_diffusion.declarations import AnnealedConfig as Annealed
from ebmkit_diffusion.declarations import MgmsConfig as Mgms
from ebmkit_diffusion.level_declarations import LevelConfig as Level
from ebmkit_diffusion.objective_declarations import CdLevelsConfig as CdLevels
from ebmkit_diffusion.objective_declarations import LevelClassificationConfig as LevelClassification
from ebmkit_diffusion.wrapper_declarations import LevelConditionedConfig as LevelConditioned
from ebmkit_diffusion.wrapper_declarations import LevelHeadConfig as LevelHead

__version__ = "0.1.0"
__all__ = ["Annealed", "CdLevels", "Level", "LevelClassification", "LevelConditioned", "LevelHead", "Mgms"]

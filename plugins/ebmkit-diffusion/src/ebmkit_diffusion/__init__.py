"""Diffusion-assisted, persistently trained energy-based models for ebmkit (Zhang, Tan, Ou, Stat 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebmkit_diffusion.declarations import CdLevelsConfig as CdLevels
from ebmkit_diffusion.declarations import LevelConditionedConfig as LevelConditioned
from ebmkit_diffusion.declarations import LevelConfig as Level
from ebmkit_diffusion.declarations import LevelHeadConfig as LevelHead
from ebmkit_diffusion.declarations import MgmsConfig as Mgms

if TYPE_CHECKING:
    from ebmkit_diffusion.stability import LongRun, long_run

__version__ = "0.1.0"
__all__ = ["CdLevels", "Level", "LevelConditioned", "LevelHead", "LongRun", "Mgms", "long_run"]


def __getattr__(name: str) -> object:
    """Imports the long-run test when it is asked for: declaring the parts of this package imports no torch."""
    if name in ("LongRun", "long_run"):
        from ebmkit_diffusion import stability

        return getattr(stability, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

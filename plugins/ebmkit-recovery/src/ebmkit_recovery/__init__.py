"""Diffusion recovery likelihood for ebmkit."""

from ebmkit_recovery.declarations import AnchorConfig as Anchor
from ebmkit_recovery.declarations import AnchoredConfig as Anchored
from ebmkit_recovery.declarations import DiffusionRecoveryConfig as DiffusionRecovery
from ebmkit_recovery.declarations import RecoveryConfig as Recovery
from ebmkit_recovery.declarations import RecoveryLangevinConfig as RecoveryLangevin
from ebmkit_recovery.declarations import RecoveryLevelConfig as RecoveryLevel

__version__ = "0.1.0"
__all__ = ["Anchor", "Anchored", "DiffusionRecovery", "Recovery", "RecoveryLangevin", "RecoveryLevel"]

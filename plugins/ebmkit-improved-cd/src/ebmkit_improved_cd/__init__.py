"""Improved contrastive divergence for ebmkit (Du, Li, Tenenbaum, Mordatch, ICML 2021)."""

from ebmkit_improved_cd.declarations import ImprovedCdConfig as ImprovedCd
from ebmkit_improved_cd.declarations import MultiscaleConfig as Multiscale
from ebmkit_improved_cd.declarations import ReservoirConfig as Reservoir

__version__ = "0.1.0"
__all__ = ["ImprovedCd", "Multiscale", "Reservoir"]
